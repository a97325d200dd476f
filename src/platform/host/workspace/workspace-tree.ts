/**
 * Walks a folder that an agent has filled, for reading: sorted by name, a folder before what is in it. Everything is reached from
 * the open folder that holds it and never by a path of several names, so a planted link or a path that is too long leads nowhere;
 * links are read and not followed. What its owner has closed is opened for as long as it is read. Sockets, fifos and devices are
 * no more than told: they are nothing without the processes that held them.
 *
 * Processes may change the folder meanwhile: what has gone by the time it is looked at, or is something else, is left out too.
 */
import type { BigIntStats } from 'node:fs';
import { constants } from 'node:fs';
import { type FileHandle, lstat, opendir, readlink } from 'node:fs/promises';
import { WorkspaceUnsaved } from '../../../hands/workspace-archive.ts';
import { BLOCK_BYTES } from '../disk-size.ts';
import { FileChanged, FolderPath, openEvenIfClosed } from './folder-path.ts';
import { sortedNames } from './sorted-names.ts';
import { DEPTH_MAX, TIME_MS_MAX } from './workspace-manifest.ts';

const { O_RDONLY, O_NONBLOCK } = constants;
const PERMISSIONS = 0o777;
/** Entries looked at together: one after the other would wait for the disk each time. */
const LOOKED_AT_ONCE = 32;
const NS_PER_MS = 1_000_000;

export type Found =
  | { readonly kind: 'folder'; readonly name: Buffer; readonly mode: number; readonly mtimeMs: number }
  | { readonly kind: 'up' }
  | FoundFile
  /** A socket, a fifo, a device. */
  | { readonly kind: 'other' }
  | { readonly kind: 'link'; readonly name: Buffer; readonly mtimeMs: number; readonly target: Buffer };

export interface FoundFile {
  readonly kind: 'file';
  readonly name: Buffer;
  readonly mode: number;
  readonly mtimeMs: number;
  readonly bytes: number;
  /** What it takes of the disk; less than its length when it has holes, or when the file system makes it smaller. */
  readonly diskBytes: number;
  /** The same for all names of one file, and for no other: the number of one that has gone is used again. */
  readonly inode: string;
  /** How many names it has. */
  readonly names: number;
  /** When it was last changed, its rights included; no command can set it. */
  readonly changedAtMs: number;
  /** Another one when the file was written to, or is another: no command can set a ctime. */
  readonly identity: string;
  /** Only until the walk goes on. The caller closes it. */
  open(): Promise<FileHandle>;
}

/** Whether `error` says that a file is not what it was when it was looked at. */
export function isChange(error: unknown): boolean {
  return error instanceof FileChanged || /^(ENOENT|ENOTDIR|ELOOP|EINVAL|ENXIO)$/.test(String(codeOf(error)));
}

interface Looked {
  readonly name: Buffer;
  readonly stats: BigIntStats;
}

/** What is left to be told of a folder that is being walked. */
interface Level {
  readonly names: Buffer[];
  looked: Looked[];
}

/** Throws WorkspaceUnsaved when there is more than `entriesMax`, or folders are deeper than DEPTH_MAX. */
export async function* walk(root: string, rootName: string, entriesMax: number): AsyncGenerator<Found> {
  const levels = new FolderPath<Level>();
  let entries = 0;
  const enter = async (path: string | Buffer): Promise<void> => {
    if (levels.depth >= DEPTH_MAX)
      throw new WorkspaceUnsaved(`More than ${DEPTH_MAX} folders in folders are not saved.`);
    await levels.enter(path, async (handle) => {
      const level = await levelOf(handle);
      entries += level.names.length;
      if (entries > entriesMax) throw new WorkspaceUnsaved(`More than ${entriesMax} files are not saved.`);
      return level;
    });
  };
  try {
    yield folder(Buffer.from(rootName), await lstat(root, { bigint: true }));
    await enter(root);
    for (let level = levels.innermost; level !== undefined; level = levels.innermost) {
      const { handle, state } = level;
      const next = await nextOf(handle, state);
      if (next === undefined) {
        await levels.leave();
        yield { kind: 'up' };
        continue;
      }
      const { name, stats } = next;
      const path = pathIn(handle, name);
      if (stats.isDirectory()) {
        yield folder(name, stats);
        const isThere = await enter(path).then(() => true, unlessChanged);
        if (!isThere) yield { kind: 'up' };
      } else if (stats.isFile()) yield file(name, stats, path);
      else if (stats.isSymbolicLink()) {
        const target = await readlink(path, 'buffer').catch(unlessChanged);
        if (target !== false) yield { kind: 'link', name, mtimeMs: mtimeMsOf(stats), target };
      } else yield { kind: 'other' };
    }
  } finally {
    await levels.close();
  }
}

/** The entry of that name in an open folder, whatever the folder is called by now. */
export function pathIn(folderHandle: FileHandle, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${folderHandle.fd}/`), name]);
}

/** What is in an open folder. */
export async function* namesIn(folderHandle: FileHandle): AsyncGenerator<Buffer> {
  // 'buffer' is not in the types of opendir, though it is in the documentation
  const encoding = { encoding: 'buffer' as BufferEncoding };
  for await (const { name } of await opendir(`/proc/self/fd/${folderHandle.fd}`, encoding))
    yield name as unknown as Buffer;
}

async function nextOf(handle: FileHandle, level: Level): Promise<Looked | undefined> {
  while (level.looked.length === 0 && level.names.length > 0) {
    const names = level.names.splice(-LOOKED_AT_ONCE).toReversed();
    const looked = await Promise.all(names.map((name) => look(handle, name)));
    level.looked = looked.filter((one) => one !== undefined).toReversed();
  }
  return level.looked.pop();
}

/** Undefined when it has gone. */
async function look(handle: FileHandle, name: Buffer): Promise<Looked | undefined> {
  try {
    return { name, stats: await lstat(pathIn(handle, name), { bigint: true }) };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function levelOf(handle: FileHandle): Promise<Level> {
  const found: Buffer[] = [];
  for await (const name of namesIn(handle)) found.push(name);
  return { names: (await sortedNames(found)).toReversed(), looked: [] }; // taken from the end
}

async function openFile(path: Buffer): Promise<FileHandle> {
  const { handle, closedMode } = await openEvenIfClosed(path, O_RDONLY | O_NONBLOCK);
  if (closedMode !== undefined) await handle.chmod(closedMode); // it stays open to us
  return handle;
}

function folder(name: Buffer, stats: BigIntStats): Found {
  return { kind: 'folder', name, mode: Number(stats.mode) & PERMISSIONS, mtimeMs: mtimeMsOf(stats) };
}

function file(name: Buffer, stats: BigIntStats, path: Buffer): FoundFile {
  return {
    kind: 'file',
    name,
    mode: Number(stats.mode) & PERMISSIONS,
    mtimeMs: mtimeMsOf(stats),
    bytes: Number(stats.size),
    diskBytes: Number(stats.blocks) * BLOCK_BYTES,
    inode: `${stats.dev}.${stats.ino}.${stats.birthtimeNs}`,
    names: Number(stats.nlink),
    changedAtMs: Number(stats.ctimeNs) / NS_PER_MS,
    identity: `${stats.dev}.${stats.ino}.${stats.ctimeNs}.${stats.size}`,
    open: () => openFile(path),
  };
}

function unlessChanged(error: unknown): false {
  if (isChange(error)) return false;
  throw error;
}

/**
 * To the nearest: a time that was restored reads the same again, though seconds as a double are a little off. Some file systems
 * take any number of seconds, and what could not be restored is not to keep the rest from it.
 */
function mtimeMsOf({ mtimeNs }: BigIntStats): number {
  return Math.min(Math.max(Math.round(Number(mtimeNs) / NS_PER_MS), -TIME_MS_MAX), TIME_MS_MAX);
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
