/**
 * Removes a folder that an agent has filled. Folders in folders are moved up into the folder that is to go, and emptied there: nothing is
 * followed, no path is long, and how deep they lay is no matter. When it is cut, the same call goes on later with what is left.
 * No hands of the session run meanwhile.
 *
 * REMOVAL-3 A removal holds five descriptors at most, however deep the folders lie, and no more names in memory than NAMES_KEPT_MAX.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, rename, rmdir, unlink } from 'node:fs/promises';
import { ConcurrencyLimit } from './concurrency-limit.ts';
import { openEvenIfClosed } from './folder-path.ts';
import { namesIn, pathIn } from './workspace-tree.ts';

const { O_RDONLY, O_DIRECTORY } = constants;
const MODE_BITS = 0o7777;
/** To empty a folder its owner reads it, writes to it and goes into it. */
const OWNER_EMPTIES = 0o700;
/** Files removed together: the disk is kept busy, and what others ask of it comes in between. */
const REMOVED_TOGETHER = 8;
/** Folders that were moved up and not looked at yet. Of more the names are read again: a million of them would take 100 MiB. */
const NAMES_KEPT_MAX = 10_000;
/** Emptied and not empty: a process that has outlived its hands writes on. The removal is tried again later, others are to have theirs. */
const FILLED_AGAIN_MAX = 100;

/** Does nothing when it is not there. */
export async function removeTree(path: string): Promise<void> {
  if (await removeUnlessFolder(path)) return;
  const top = await openToEmpty(path);
  try {
    await new Removal(top).run();
  } finally {
    await top.close();
  }
  await rmdir(path);
}

class Removal {
  readonly #top: FileHandle;
  /** Begins the names that folders get: no command can have guessed it. */
  readonly #chance = randomBytes(6).toString('hex');
  #moved = 0;
  #filledAgain = 0;
  readonly #waiting: Buffer[] = [];

  constructor(top: FileHandle) {
    this.#top = top;
  }

  /** All that is in the folder, and what was moved there meanwhile. */
  async run(): Promise<void> {
    for (let wasEmpty = false; !wasEmpty; ) {
      wasEmpty = true;
      for await (const name of namesIn(this.#top)) {
        wasEmpty = false;
        await this.#remove(name);
      }
    }
  }

  async #remove(first: Buffer): Promise<void> {
    if (await removeUnlessFolder(pathIn(this.#top, first))) return;
    for (let name: Buffer | undefined = first; name !== undefined; name = this.#waiting.pop()) {
      const path = pathIn(this.#top, name);
      await this.#empty(path);
      await rmdir(path).catch((error: unknown) => this.#tolerateFilled(error));
    }
  }

  async #empty(path: Buffer): Promise<void> {
    const folder = await openToEmpty(path);
    const removing = new ConcurrencyLimit(REMOVED_TOGETHER);
    try {
      for await (const name of namesIn(folder))
        await removing.start(() => this.#takeOut(pathIn(folder, name)));
      await removing.finish();
    } finally {
      await removing.finish().catch(() => undefined); // told already; the number of the descriptor may be another's once it is closed
      await folder.close();
    }
  }

  /** Out of the folder that it lies in: a folder goes up, all else goes away. */
  async #takeOut(path: Buffer): Promise<void> {
    if (await removeUnlessFolder(path)) return;
    const name = Buffer.from(`${this.#chance}-${this.#moved}`);
    this.#moved += 1;
    const to = pathIn(this.#top, name);
    try {
      await rename(path, to);
    } catch (error) {
      if (codeOf(error) !== 'EACCES') throw error;
      await (await openToEmpty(path)).close(); // to be moved it must be writable to its owner: its `..` changes
      await rename(path, to);
    }
    if (this.#waiting.length < NAMES_KEPT_MAX) this.#waiting.push(name);
  }

  #tolerateFilled(error: unknown): void {
    this.#filledAgain += 1;
    if (codeOf(error) !== 'ENOTEMPTY' || this.#filledAgain > FILLED_AGAIN_MAX) throw error;
  }
}

/** False when it is a folder. */
async function removeUnlessFolder(path: string | Buffer): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT') return true;
    if (code === 'EISDIR') return false;
    if (code === 'EPERM' && (await lstat(path)).isDirectory()) return false; // POSIX says EPERM, and so do some file systems
    throw error;
  }
}

/** Follows no link. Its owner has all rights to it afterwards, whatever a command took from them. */
async function openToEmpty(path: string | Buffer): Promise<FileHandle> {
  const { handle } = await openEvenIfClosed(path, O_RDONLY | O_DIRECTORY);
  try {
    const mode = (await handle.stat()).mode & MODE_BITS;
    if ((mode & OWNER_EMPTIES) !== OWNER_EMPTIES) await handle.chmod(mode | OWNER_EMPTIES);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
