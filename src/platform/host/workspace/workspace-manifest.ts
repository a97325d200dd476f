/**
 * What the checkpoint of a workspace says, as lines of JSON: a header, where contents lie, then the tree in the order in which it is
 * walked. An entry has a name and no path; a folder is open until its `up`. So nothing in a manifest can name a place outside the
 * folder that it is restored into, whoever wrote it, and a deep tree costs no more than a flat one.
 *
 * Names and targets are bytes, which need not be UTF-8: they are written as Latin-1. Names are sorted by bytes, so the same
 * workspace gives the same manifest on every server.
 */
import { CheckpointDamaged, type ContentId } from '../../../hands/workspace-archive.ts';

export const HEADER = '["holdfast workspace",1]';
/** Of one that has what servers before it do not know: files with holes, hard links. Only then, so that these read all the others. */
export const HEADER_2 = '["holdfast workspace",2]';
/** The folders of a workspace, which are its roots. */
export const ROOTS = ['files', 'results'] as const;
/** A name of 255 bytes or a link of 4,095, each byte escaped, with what stands around them. */
export const MANIFEST_LINE_BYTES_MAX = 32 * 1024;
/** Folders in folders, of what is saved. sizeOf gives up at the same depth. */
export const DEPTH_MAX = 1_000;

/** Small files lie together, in contents of up to this much: one is read or made in memory as a whole. */
export const PACK_BYTES_MAX = 4 * 1024 * 1024;

/** ext4 takes no longer file than 16 TiB: what is saved on one server can be restored on another. */
export const FILE_LENGTH_MAX = 8 * 1024 ** 4;
/** Further from 1970 no Date goes, and file systems end long before. */
export const TIME_MS_MAX = 8.64e15;

const NAME_BYTES_MAX = 255;
const TARGET_BYTES_MAX = 4_095;
const PERMISSIONS = 0o777;
const HASH = /^[0-9a-f]{64}$/;

/** Where the bytes of a file lie: alone in a content, or in one with others. */
export interface Place {
  readonly content: ContentId;
  readonly offset: number;
  readonly bytes: number;
  /** Of the whole content. */
  readonly contentBytes: number;
}

export interface FileEntry {
  readonly kind: 'file';
  readonly name: Buffer;
  readonly mode: number;
  readonly mtimeMs: number;
  /** How long it is. */
  readonly bytes: number;
  /** Of its content; undefined for a file that has none: an empty one, or one big hole. */
  readonly sha256: string | undefined;
  /** How long the content of a file with holes is (sparse-content.ts); undefined when it is the file itself. */
  readonly sparseBytes?: number | undefined;
  /** By which other names refer to it. */
  readonly link?: number | undefined;
}

export type Entry =
  | { readonly kind: 'place'; readonly sha256: string; readonly place: Place }
  | { readonly kind: 'folder'; readonly name: Buffer; readonly mode: number; readonly mtimeMs: number }
  | { readonly kind: 'up' }
  | FileEntry
  /** Another name of a file that came before. */
  | { readonly kind: 'hard link'; readonly name: Buffer; readonly link: number }
  | { readonly kind: 'link'; readonly name: Buffer; readonly mtimeMs: number; readonly target: Buffer };

/** Whether servers that know only HEADER cannot read it. */
export function isOfHeader2(entry: Entry): boolean {
  if (entry.kind === 'file') return entry.sparseBytes !== undefined || entry.link !== undefined;
  return entry.kind === 'hard link';
}

export function lineOf(entry: Entry): string {
  switch (entry.kind) {
    case 'place': {
      const { content, offset, bytes, contentBytes } = entry.place;
      return JSON.stringify(['c', entry.sha256, content, offset, bytes, contentBytes]);
    }
    case 'folder':
      return JSON.stringify(['d', entry.name.toString('latin1'), entry.mode, entry.mtimeMs]);
    case 'up':
      return '["u"]';
    case 'file': {
      const { name, mode, mtimeMs, bytes, sha256 = '', sparseBytes, link } = entry;
      const fields = [name.toString('latin1'), mode, mtimeMs, bytes, sha256];
      const links = link === undefined ? [] : [link];
      return JSON.stringify(
        sparseBytes === undefined ? ['f', ...fields, ...links] : ['s', ...fields, sparseBytes, ...links],
      );
    }
    case 'hard link':
      return JSON.stringify(['h', entry.name.toString('latin1'), entry.link]);
    case 'link':
      return JSON.stringify([
        'l',
        entry.name.toString('latin1'),
        entry.mtimeMs,
        entry.target.toString('latin1'),
      ]);
  }
}

/** Throws CheckpointDamaged for everything that `lineOf` does not write. */
export function entryOf(line: string): Entry {
  const fields = parse(line);
  const [kind, ...rest] = fields;
  switch (kind) {
    case 'c':
      return { kind: 'place', sha256: hashIn(rest[0]), place: placeOf(rest.slice(1)) };
    case 'd':
      return { kind: 'folder', name: nameOf(rest[0]), mode: modeOf(rest[1]), mtimeMs: timeOf(rest[2]) };
    case 'u':
      return { kind: 'up' };
    case 'f':
      return { ...fileOf(rest), sha256: rest[3] === 0 ? undefined : hashIn(rest[4]), ...linkIn(rest[5]) };
    case 's': {
      const sparseBytes = wholeOf(rest[5]);
      const sha256 = sparseBytes === 0 ? undefined : hashIn(rest[4]);
      return { ...fileOf(rest), sha256, sparseBytes, ...linkIn(rest[6]) };
    }
    case 'h':
      return { kind: 'hard link', name: nameOf(rest[0]), link: wholeOf(rest[1]) };
    case 'l':
      return { kind: 'link', name: nameOf(rest[0]), mtimeMs: timeOf(rest[1]), target: targetOf(rest[2]) };
    default:
      throw new CheckpointDamaged('a line of it is of no known kind');
  }
}

function fileOf([name, mode, time, length]: readonly unknown[]): Omit<FileEntry, 'sha256'> {
  const bytes = wholeOf(length);
  if (bytes > FILE_LENGTH_MAX) throw new CheckpointDamaged('it has a file that is too long');
  return { kind: 'file', name: nameOf(name), mode: modeOf(mode), mtimeMs: timeOf(time), bytes };
}

function linkIn(value: unknown): { readonly link?: number } {
  return value === undefined ? {} : { link: wholeOf(value) };
}

function parse(line: string): readonly unknown[] {
  try {
    const fields: unknown = JSON.parse(line);
    if (Array.isArray(fields)) return fields;
  } catch {
    // said below
  }
  throw new CheckpointDamaged('a line of it is malformed');
}

function placeOf([content, offset, bytes, contentBytes]: readonly unknown[]): Place {
  const found = {
    content: textOf(content),
    offset: wholeOf(offset),
    bytes: wholeOf(bytes),
    contentBytes: wholeOf(contentBytes),
  };
  const isAlone = found.offset === 0 && found.bytes === found.contentBytes;
  if (!isAlone && found.contentBytes > PACK_BYTES_MAX)
    throw new CheckpointDamaged('many files lie in a content that is too large for that');
  if (found.offset + found.bytes > found.contentBytes)
    throw new CheckpointDamaged('a file lies outside of its content');
  return found;
}

/** One component of a path, and no more: the walls of the folder stand on this. */
function nameOf(value: unknown): Buffer {
  const bytes = Buffer.from(textOf(value), 'latin1');
  const isOne = !bytes.includes(0) && !bytes.includes('/') && !bytes.equals(DOT) && !bytes.equals(DOT_DOT);
  if (!isOne || bytes.length === 0 || bytes.length > NAME_BYTES_MAX)
    throw new CheckpointDamaged('it has a name that no file has');
  return bytes;
}

const DOT = Buffer.from('.');
const DOT_DOT = Buffer.from('..');

/** Any target: a link is made, never followed. */
function targetOf(value: unknown): Buffer {
  const bytes = Buffer.from(textOf(value), 'latin1');
  if (bytes.length === 0 || bytes.length > TARGET_BYTES_MAX || bytes.includes(0))
    throw new CheckpointDamaged('it has a link that no system has');
  return bytes;
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') throw new CheckpointDamaged('a line of it lacks a text');
  return value;
}

function hashIn(value: unknown): string {
  const digits = textOf(value);
  if (!HASH.test(digits)) throw new CheckpointDamaged('a line of it lacks a hash');
  return digits;
}

function wholeOf(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw new CheckpointDamaged('a line of it lacks a size');
  return value;
}

/** Bits for reading, writing and running; what makes a program run as somebody else is never set. */
function modeOf(value: unknown): number {
  return wholeOf(value) & PERMISSIONS;
}

function timeOf(value: unknown): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || Math.abs(value) > TIME_MS_MAX)
    throw new CheckpointDamaged('a line of it lacks a time');
  return value;
}
