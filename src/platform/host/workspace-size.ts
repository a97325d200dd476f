/**
 * How much of the disk folders take: blocks, not lengths, so that sparse files count what they use, and a file with several names once.
 *
 * Walks from folder to folder by descriptor, so that neither a path longer than the system takes nor a folder that is
 * renamed above the walk hides anything. What has a name is counted here, what has lost it in deleted-files.ts.
 */
import { chmodSync, constants, fchmodSync, fstatSync, lstatSync } from 'node:fs';
import { type FileHandle, lstat, open, opendir } from 'node:fs/promises';
import { sizeOfDeleted } from './deleted-files.ts';
import { BLOCK_BYTES, type Size } from './disk-size.ts';

export interface Measured extends Size {
  /** Why there may be more than this, for the model; undefined when all was measured. */
  readonly unmeasured?: string | undefined;
}

const MODE_BITS = 0o7777;
/** Reading a folder and looking at what is in it. */
const OPEN_TO_OWNER = 0o500;
/** Folders held open because more than one folder in them is to be walked: no project is that deep, and OPEN_FILES_MAX is more. */
const HELD_MAX = 1_000;
const READ_FOLDER = constants.O_RDONLY | constants.O_DIRECTORY;
/** Gone, no folder any more, or not ours and closed: then no command can write to it either. */
const NOTHING_TO_MEASURE: ReadonlySet<unknown> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EPERM']);

/** A folder that is open, with the folders in it that are still to be walked. */
interface Held {
  readonly handle: FileHandle;
  /** What it is closed to again; undefined when it was open. */
  readonly closedMode: number | undefined;
  readonly inner: Inner[];
}

interface Inner {
  readonly path: string;
  readonly mode: number;
  readonly flags: number;
}

/**
 * Walks until either limit is passed; what goes while we look counts nothing. Follows no link. A folder that its owner has
 * closed would hide what is in it: it is opened for as long as the walk needs it.
 */
export async function sizeOf(roots: readonly string[], max: Size, signal: AbortSignal): Promise<Measured> {
  const walk = new Walk(max, signal, await sizeOfDeleted(roots, max.entries));
  for (const path of roots) await walk.under(path);
  return walk.size;
}

class Walk {
  size: Measured;
  readonly #max: Size;
  readonly #signal: AbortSignal;
  /** Files with several names that were counted; no more than entries. */
  readonly #linked = new Set<string>();

  constructor(max: Size, signal: AbortSignal, before: Size) {
    this.#max = max;
    this.#signal = signal;
    this.size = before;
  }

  async under(root: string): Promise<void> {
    const held: Held[] = [];
    try {
      let next: Inner | undefined = { path: root, mode: OPEN_TO_OWNER, flags: READ_FOLDER };
      while (next !== undefined && !this.#isOver()) {
        const folder = await this.#enter(next);
        // only now: the path of the folder just entered goes over the one that holds it
        while (held.at(-1)?.inner.length === 0) await release(held.pop());
        if (folder !== undefined) held.push(folder);
        if (held.length > HELD_MAX) return this.#leaveOut('folders in folders are too deep');
        while (held.at(-1)?.inner.length === 0) await release(held.pop());
        next = held.at(-1)?.inner.pop();
      }
    } finally {
      for (const folder of held.toReversed()) await release(folder); // the inner ones first
    }
  }

  /** Opens a folder and counts what is in it. */
  async #enter({ path, mode, flags }: Inner): Promise<Held | undefined> {
    let handle: FileHandle;
    const closedMode = isOpenToOwner(mode) ? undefined : openToOwner(path);
    try {
      handle = await open(path, flags);
    } catch (error) {
      return this.#leaveOutUnlessNothing(error);
    }
    const folder: Held = { handle, closedMode, inner: [] };
    try {
      await this.#count(`/proc/self/fd/${handle.fd}`, folder.inner);
    } catch (error) {
      this.#leaveOutUnlessNothing(error);
    }
    return folder;
  }

  async #count(folder: string, inner: Inner[]): Promise<void> {
    for await (const { name } of await opendir(folder)) {
      const path = `${folder}/${name}`;
      const stats = await lstat(path).catch(() => undefined);
      if (stats?.isDirectory() === true) {
        inner.push({ path, mode: stats.mode & MODE_BITS, flags: READ_FOLDER | constants.O_NOFOLLOW });
      }
      const isCounted = stats?.isFile() === true && stats.nlink > 1 && (await this.#wasSeen(path));
      const bytes = this.size.bytes + (isCounted ? 0 : (stats?.blocks ?? 0) * BLOCK_BYTES);
      this.size = { ...this.size, bytes, entries: this.size.entries + 1 };
      if (this.#isOver()) return;
    }
  }

  /** Inodes as bigint: some file systems have numbers beyond what a double tells apart, and two files must not count as one. */
  async #wasSeen(path: string): Promise<boolean> {
    const stats = await lstat(path, { bigint: true }).catch(() => undefined);
    if (stats === undefined) return false;
    const inode = `${stats.dev}:${stats.ino}`;
    if (this.#linked.has(inode)) return true;
    this.#linked.add(inode);
    return false;
  }

  #isOver(): boolean {
    const { bytes, entries } = this.size;
    return bytes > this.#max.bytes || entries > this.#max.entries || this.#signal.aborted;
  }

  #leaveOutUnlessNothing(error: unknown): undefined {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (!NOTHING_TO_MEASURE.has(code)) this.#leaveOut(`a folder cannot be read (${String(code)})`);
  }

  #leaveOut(why: string): void {
    this.size = { ...this.size, unmeasured: why };
  }
}

function isOpenToOwner(mode: number): boolean {
  return (mode & OPEN_TO_OWNER) === OPEN_TO_OWNER;
}

/**
 * Answers what it was closed to; undefined when nothing was changed. Asks again, and at once before: a command that has opened the folder
 * since it was listed, to remove what is in it, must not find it closed again.
 */
function openToOwner(path: string): number | undefined {
  try {
    const stats = lstatSync(path);
    const mode = stats.mode & MODE_BITS;
    if (!stats.isDirectory() || isOpenToOwner(mode)) return undefined;
    chmodSync(path, mode | OPEN_TO_OWNER);
    return mode;
  } catch {
    return undefined; // not ours, or gone
  }
}

async function release(folder: Held | undefined): Promise<void> {
  if (folder === undefined) return;
  const { handle, closedMode } = folder;
  try {
    if (closedMode === undefined) return;
    const now = fstatSync(handle.fd).mode & MODE_BITS;
    if (now === (closedMode | OPEN_TO_OWNER)) fchmodSync(handle.fd, closedMode); // else someone has set another mode since
  } catch {
    // it is not ours any more
  } finally {
    await handle.close();
  }
}
