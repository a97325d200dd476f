/**
 * How much of the disk is taken by files that have lost their name and are still open: no walk over folders finds them.
 * Linux only (/proc). Sees what it may: processes of the same user, by their descriptors.
 */
import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { BLOCK_BYTES, type Size } from './disk-size.ts';

/** The files that were under `roots`, each once, at most `entriesMax`. */
export async function sizeOfDeleted(roots: readonly string[], entriesMax: number): Promise<Size> {
  const sizes = new Map<string, number>();
  for (const pid of entriesOf('/proc')) {
    if (!/^[0-9]+$/.test(pid)) continue;
    for (const fd of entriesOf(`/proc/${pid}/fd`)) {
      if (sizes.size > entriesMax) break;
      lookAt(`/proc/${pid}/fd/${fd}`, roots, sizes);
    }
    await setImmediate(); // one process has OPEN_FILES_MAX at most; between two of them the hands go on
  }
  const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  return { bytes, entries: sizes.size };
}

function lookAt(path: string, roots: readonly string[], sizes: Map<string, number>): void {
  try {
    if (!wasUnder(path, roots)) return;
    const { nlink, dev, ino, blocks } = statSync(path);
    if (nlink === 0) sizes.set(`${dev}:${ino}`, blocks * BLOCK_BYTES); // else it has another name, and is counted there
  } catch {
    // closed since
  }
}

/** A name that is too long to be told is under a root: there is nowhere else to make it. */
function wasUnder(path: string, roots: readonly string[]): boolean {
  try {
    const target = readlinkSync(path);
    return target.endsWith(' (deleted)') && roots.some((root) => target.startsWith(`${root}/`));
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENAMETOOLONG';
  }
}

function entriesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // it has ended, or is not ours
  }
}
