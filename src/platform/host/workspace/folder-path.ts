/**
 * The way from a folder down to one in it, while a tree is walked. Only the innermost folders are held open: a command makes a chain of
 * fifty thousand folders in a second, and a server that held each of them would have no descriptor left for anybody.
 *
 * FOLDERS-1 Of one walk FOLDERS_OPEN_MAX folders are open at most, however deep it goes.
 * FOLDERS-2 A folder that was let go is opened again as the `..` of the one in it, and must be the same folder: one that was moved
 *    meanwhile ends the walk, and never leads it elsewhere.
 */
import { constants } from 'node:fs';
import { chmod, type FileHandle, lstat, open } from 'node:fs/promises';
import { assert } from '../../../kernel/assert.ts';
import { WorkspaceUnsaved } from '../../../hands/workspace-archive.ts';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
/** Linux: names a file without opening it, which needs no right to it. Node does not list it. */
const O_PATH = 0o10_000_000;
const MODE_BITS = 0o7777;
const OWNER_READS = 0o500;
/** Open at once of one walk: few folders of a project lie deeper, and a thousand walks at a time still leave the server its descriptors. */
export const FOLDERS_OPEN_MAX = 16;

/** It was something else when it was opened than when it was looked at, or while it was read. */
export class FileChanged extends WorkspaceUnsaved {
  constructor() {
    super('Something changes the files while they are saved.');
  }
}

interface Level<T> {
  readonly state: T;
  readonly identity: string;
  /** What it is closed to again. */
  readonly closedMode: number | undefined;
  handle: FileHandle | undefined;
}

export class FolderPath<T> {
  readonly #levels: Level<T>[] = [];

  get depth(): number {
    return this.#levels.length;
  }

  /** Where the walk is; undefined when it has left the folder that it began with. */
  get innermost(): { readonly state: T; readonly handle: FileHandle } | undefined {
    const level = this.#levels.at(-1);
    if (level === undefined) return undefined;
    assert(level.handle !== undefined, 'the innermost folder is open');
    return { state: level.state, handle: level.handle };
  }

  /** Goes into the folder at `path`, which is the first, or lies in the innermost. `begin` makes what is kept of it. */
  async enter(path: string | Buffer, begin: (handle: FileHandle) => Promise<T>): Promise<void> {
    const { handle, closedMode } = await openEvenIfClosed(path, O_RDONLY | O_DIRECTORY);
    try {
      const identity = await identityOf(handle);
      this.#levels.push({ state: await begin(handle), identity, closedMode, handle });
    } catch (error) {
      await closeAgain(handle, closedMode);
      throw error;
    }
    const released = this.#levels.at(-1 - FOLDERS_OPEN_MAX); // FOLDERS-1
    const outer = released?.handle;
    if (released !== undefined) released.handle = undefined;
    await outer?.close();
  }

  /** Goes back up, `finish` done to the folder that is left. */
  async leave(finish?: (handle: FileHandle) => Promise<void>): Promise<void> {
    const level = this.#levels.pop();
    if (level?.handle === undefined) return;
    try {
      const above = this.#levels.at(-1);
      if (above !== undefined) above.handle ??= await reopen(level.handle, above.identity); // `finish` may close the way
      await finish?.(level.handle);
    } finally {
      await closeAgain(level.handle, level.closedMode);
    }
  }

  /** Wherever the walk is. What cannot be reached any more is left as it is. */
  async close(): Promise<void> {
    while (this.#levels.length > 0) await this.leave().catch(() => undefined);
  }
}

/** FOLDERS-2 */
async function reopen(inner: FileHandle, identity: string): Promise<FileHandle> {
  const { handle } = await openEvenIfClosed(`/proc/self/fd/${inner.fd}/..`, O_RDONLY | O_DIRECTORY);
  try {
    if ((await identityOf(handle)) !== identity) throw new FileChanged();
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function identityOf(handle: FileHandle): Promise<string> {
  const { dev, ino, birthtimeNs } = await handle.stat({ bigint: true });
  return `${dev}.${ino}.${birthtimeNs}`;
}

async function closeAgain(handle: FileHandle, closedMode: number | undefined): Promise<void> {
  try {
    if (closedMode !== undefined) await handle.chmod(closedMode);
  } finally {
    await handle.close();
  }
}

/** Follows no link, also not one that was put there since we looked. */
export async function openEvenIfClosed(
  path: string | Buffer,
  flags: number,
): Promise<{ handle: FileHandle; closedMode: number | undefined }> {
  const isFolder = (flags & O_DIRECTORY) !== 0;
  const mode = isFolder ? (await lstat(path)).mode & MODE_BITS : OWNER_READS;
  const isClosed = (mode & OWNER_READS) !== OWNER_READS; // readable alone is not enough to walk a folder
  if (!isClosed) {
    try {
      return { handle: await open(path, flags | O_NOFOLLOW), closedMode: undefined };
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EACCES')) throw error;
    }
  }
  const named = await open(path, O_PATH | O_NOFOLLOW);
  try {
    const stats = await named.stat();
    if (isFolder ? !stats.isDirectory() : !stats.isFile()) throw new FileChanged();
    const itself = `/proc/self/fd/${named.fd}`;
    const closedMode = stats.mode & MODE_BITS;
    await chmod(itself, closedMode | OWNER_READS);
    return { handle: await open(itself, flags), closedMode };
  } finally {
    await named.close();
  }
}
