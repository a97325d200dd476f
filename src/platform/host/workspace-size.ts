/** How much of the disk folders take: blocks, not lengths, so that sparse files count what they use. */
import { chmod, lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';

export interface Size {
  readonly bytes: number;
  readonly entries: number;
}

const BLOCK_BYTES = 512;
const MODE_BITS = 0o7777;
/** Reading a folder and looking at what is in it. */
const OPEN_TO_OWNER = 0o500;

interface Folder {
  readonly path: string;
  readonly mode: number;
}

/**
 * Walks until either limit is passed; what goes while we look counts nothing. Follows no link. A folder that its owner has
 * closed would hide what is in it: it is opened for as long as the walk takes.
 */
export async function sizeOf(roots: readonly string[], max: Size, signal: AbortSignal): Promise<Size> {
  const opened: Folder[] = [];
  try {
    return await walk(roots, max, signal, opened);
  } finally {
    for (const folder of opened.toReversed()) await closeAgain(folder); // the inner ones first
  }
}

async function walk(
  roots: readonly string[],
  max: Size,
  signal: AbortSignal,
  opened: Folder[],
): Promise<Size> {
  let bytes = 0;
  let entries = 0;
  const folders: Folder[] = roots.map((path) => ({ path, mode: OPEN_TO_OWNER }));
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    if (await openToOwner(next)) opened.push(next);
    const listing = await opendir(next.path).catch(() => undefined);
    if (listing === undefined) continue;
    for await (const { name } of listing) {
      const path = join(next.path, name);
      const stats = await lstat(path).catch(() => undefined);
      if (stats?.isDirectory() === true) folders.push({ path, mode: stats.mode & MODE_BITS });
      entries += 1;
      bytes += (stats?.blocks ?? 0) * BLOCK_BYTES;
      if (bytes > max.bytes || entries > max.entries || signal.aborted) return { bytes, entries };
    }
  }
  return { bytes, entries };
}

/** True when it was closed and is now open. */
async function openToOwner({ path, mode }: Folder): Promise<boolean> {
  if ((mode & OPEN_TO_OWNER) === OPEN_TO_OWNER) return false;
  return chmod(path, mode | OPEN_TO_OWNER).then(
    () => true,
    () => false, // not ours, or gone
  );
}

async function closeAgain({ path, mode }: Folder): Promise<void> {
  try {
    const now = (await lstat(path)).mode & MODE_BITS;
    if (now === (mode | OPEN_TO_OWNER)) await chmod(path, mode); // else someone has set another mode since
  } catch {
    // it has gone
  }
}
