/**
 * Writing a file so that it stays the same file: its other names (hard links), its links, its mode and owner, and the programs that
 * have it open all see the new content. So a file that is there is written in place, and not replaced by another one.
 *
 * In place means that an end of the machine in the middle leaves a mixture (the call is then `unknown`, and the model told to
 * look); a full disk does not: what makes the file longer is written first, behind the old content, and taken back when it does
 * not fit, and the bytes to be overwritten are in memory until all is written. A new file is written beside its place
 * and renamed, so it is there as a whole or not at all.
 */
import { randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readlink, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { FileRefused } from '../../hands/faults.ts';
import { refuse } from './translate-error.ts';

const MODE_NEW = 0o644;
const MODE_BITS = 0o7777;
const WRITE_BITS = 0o222;
/** As many as Linux follows (path_resolution(7)). */
const LINKS_MAX = 40;

export interface WrittenFile {
  readonly created: boolean;
  /** Where a link led that was written through. */
  readonly target?: string | undefined;
}

export async function writeWhole(path: string, content: Buffer): Promise<WrittenFile> {
  try {
    const target = await targetOf(path);
    const known = await stat(target).catch(() => undefined);
    if (known !== undefined) {
      checkWritable(path, known);
      await overwrite(target, content);
    } else {
      await makeFolder(path, dirname(target));
      await create(target, content);
    }
    return { created: known === undefined, target: await linkTarget(path, target) };
  } catch (error) {
    return refuse(path, error, 'write');
  }
}

/** The file that `path` leads to, also when nothing is there yet. */
async function targetOf(path: string): Promise<string> {
  const existing = await realpath(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  });
  if (existing !== undefined) return existing;
  let target = path;
  for (let links = 0; links < LINKS_MAX; links += 1) {
    const isLink = await lstat(target).then(
      (stats) => stats.isSymbolicLink(),
      () => false,
    );
    if (!isLink) return target;
    target = resolve(await realpath(dirname(target)), await readlink(target));
  }
  throw new FileRefused(`${path} goes through more than ${LINKS_MAX} links.`);
}

async function linkTarget(path: string, target: string): Promise<string | undefined> {
  const stats = await lstat(path);
  return stats.isSymbolicLink() ? target : undefined;
}

function checkWritable(path: string, stats: Stats): void {
  if (stats.isDirectory())
    throw new FileRefused(`${path} is a folder: give the path of a file, for example one in it.`);
  if (!stats.isFile())
    throw new FileRefused(`${path} is a special file (a fifo, socket or device): use bash for it.`);
  if ((stats.mode & WRITE_BITS) !== 0) return; // root could: it is refused whoever asks, since somebody meant it
  const mode = (stats.mode & MODE_BITS).toString(8);
  throw new FileRefused(
    `${path} is read-only (mode ${mode}) and was not changed: if it is meant to change, use bash (chmod u+w) first.`,
  );
}

async function makeFolder(path: string, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch(async (error: unknown) => {
    let missing = folder;
    for (let at = folder; ; missing = at, at = dirname(at)) {
      const stats = await stat(at).catch(() => undefined);
      if (stats === undefined) continue; // ends at the root, which is there
      if (!stats.isDirectory())
        throw new FileRefused(`${path} goes through ${at}, which is a file and no folder.`, { cause: error });
      if (missing !== at) await mkdir(missing); // says why: with `recursive` it says ENOENT of a read-only file system
      break;
    }
    throw error;
  });
}

async function create(target: string, content: Buffer): Promise<void> {
  const name = `.${basename(target).slice(0, 60)}.${randomBytes(6).toString('hex')}.tmp`;
  const temporary = join(dirname(target), name);
  try {
    const file = await open(temporary, 'wx', MODE_NEW);
    try {
      await file.writeFile(content);
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function overwrite(target: string, content: Buffer): Promise<void> {
  const flags = constants.O_NONBLOCK | constants.O_NOCTTY | constants.O_NOFOLLOW;
  const file = await open(target, constants.O_RDWR | flags).catch((error: unknown) => {
    if (codeOf(error) !== 'EACCES') throw error;
    return open(target, constants.O_WRONLY | flags); // may be written and not read: then it cannot be taken back
  });
  try {
    const before = await file.stat();
    checkWritable(target, before); // it may be another one by now
    await replaceContent(file, before.size, content);
    const after = await file.stat();
    if (after.mode !== before.mode) await file.chmod(before.mode & MODE_BITS).catch(() => undefined);
  } finally {
    await file.close();
  }
}

async function replaceContent(file: FileHandle, size: number, content: Buffer): Promise<void> {
  const kept = Math.min(size, content.length);
  const old = await readFully(file, kept);
  let overwriting = false;
  try {
    await writeFully(file, content.subarray(kept), kept);
    overwriting = true;
    await writeFully(file, content.subarray(0, kept), 0);
    await file.truncate(content.length);
  } catch (error) {
    if (overwriting && old !== undefined) await writeFully(file, old, 0).catch(() => undefined);
    await file.truncate(size).catch(() => undefined);
    throw error;
  }
}

/** Undefined when it may not be read. */
async function readFully(file: FileHandle, bytes: number): Promise<Buffer | undefined> {
  const content = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; ) {
    const { bytesRead } = await file.read(content, at, bytes - at, at).catch(() => ({ bytesRead: 0 }));
    if (bytesRead === 0) return undefined;
    at += bytesRead;
  }
  return content;
}

async function writeFully(file: FileHandle, content: Buffer, position: number): Promise<void> {
  for (let at = 0; at < content.length; ) {
    const { bytesWritten } = await file.write(content, at, content.length - at, position + at);
    at += bytesWritten;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
