/**
 * The file half of the host's Sandbox. Runs inside the isolation with the rights of the tools, so a link that was planted
 * leads to nothing that a command could not reach. Nothing here waits for a fifo or a device.
 */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, opendir, readlink, stat } from 'node:fs/promises';
import { FileRefused } from '../../hands/faults.ts';
import type { FolderEntry } from '../../hands/sandbox.ts';
import { refuse } from './translate-error.ts';

/** Names are bytes, and not all of them UTF-8; the types of Node know this encoding for readdir only. */
const BYTES = 'buffer' as BufferEncoding;
const CHUNK_BYTES = 64 * 1024;

export async function* readFileChunks(path: string, signal: AbortSignal): AsyncGenerator<Buffer, void> {
  const file = await openFile(path).catch((error: unknown) => refuse(path, error));
  try {
    while (!signal.aborted) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      const { bytesRead } = await file
        .read(chunk, 0, CHUNK_BYTES, null)
        .catch((error: unknown) => refuse(path, error));
      if (bytesRead === 0) return;
      yield chunk.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** The codes of a path that leads to nothing. */
const NOTHING = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG']);

export async function lookAt(path: string): Promise<'file' | 'folder' | 'other' | undefined> {
  try {
    const entry = await lstat(path);
    const stats = entry.isSymbolicLink() ? await stat(path).catch(() => entry) : entry;
    return stats.isDirectory() ? 'folder' : stats.isFile() ? 'file' : 'other';
  } catch (error) {
    return error instanceof Error && 'code' in error && NOTHING.has(String(error.code)) ? undefined : 'other';
  }
}

export async function listFolder(
  path: string,
  entriesMax: number,
): Promise<{ entries: readonly FolderEntry[]; cut: boolean } | undefined> {
  try {
    if (!(await stat(path)).isDirectory()) return undefined;
    const names: Buffer[] = [];
    let cut = false;
    for await (const { name } of await opendir(path, { encoding: BYTES })) {
      cut = names.length >= entriesMax;
      if (cut) break;
      names.push(Buffer.from(name));
    }
    const entries: FolderEntry[] = [];
    for (const name of names.toSorted((a, b) => Buffer.compare(a, b)))
      entries.push(await entryOf(Buffer.concat([Buffer.from(`${path}/`), name]), name.toString()));
    return { entries, cut };
  } catch (error) {
    return refuse(path, error);
  }
}

async function openFile(path: string): Promise<FileHandle> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    checkFile(path, await file.stat());
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

function checkFile(path: string, stats: Stats): void {
  if (stats.isDirectory()) throw new FileRefused(`${path} is a folder: use list.`);
  if (!stats.isFile())
    throw new FileRefused(`${path} is a special file (a fifo, socket or device), not a text.`);
}

async function entryOf(path: Buffer, name: string): Promise<FolderEntry> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats?.isDirectory() === true) return { name, kind: 'folder', bytes: 0 };
  if (stats?.isSymbolicLink() === true) {
    const target = await readlink(path).catch(() => undefined);
    const dangles = await stat(path).then(
      () => false,
      () => true,
    );
    return { name, kind: 'link', bytes: 0, target, dangles };
  }
  if (stats?.isFile() === true) return { name, kind: 'file', bytes: stats.size };
  return { name, kind: 'other', bytes: 0 };
}
