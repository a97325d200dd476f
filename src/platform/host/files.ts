/**
 * The file half of the host's Sandbox. Runs inside the isolation with the rights of the tools, so a link that was planted
 * leads to nothing that a command could not reach. Nothing here waits for a fifo or a device.
 */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, opendir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FileRefused } from '../../hands/faults.ts';
import type { FolderEntry } from '../../hands/sandbox.ts';
import { refuse } from './translate-error.ts';

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

export async function listFolder(
  path: string,
  entriesMax: number,
): Promise<{ entries: readonly FolderEntry[]; cut: boolean } | undefined> {
  try {
    if (!(await stat(path)).isDirectory()) return undefined;
    const names: string[] = [];
    let cut = false;
    for await (const { name } of await opendir(path)) {
      cut = names.length >= entriesMax;
      if (cut) break;
      names.push(name);
    }
    const entries: FolderEntry[] = [];
    for (const name of names.toSorted()) entries.push(await entryOf(join(path, name), name));
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

async function entryOf(path: string, name: string): Promise<FolderEntry> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats?.isDirectory() === true) return { name, kind: 'folder', bytes: 0 };
  if (stats?.isSymbolicLink() === true) {
    return { name, kind: 'link', bytes: 0, target: await readlink(path).catch(() => undefined) };
  }
  if (stats?.isFile() === true) return { name, kind: 'file', bytes: stats.size };
  return { name, kind: 'other', bytes: 0 };
}
