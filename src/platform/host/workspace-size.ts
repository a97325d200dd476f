/** How much of the disk a folder takes: blocks, not lengths, so that sparse files count what they use. */
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';

export interface Size {
  readonly bytes: number;
  readonly entries: number;
}

const BLOCK_BYTES = 512;

/** Walks until either limit is passed; what cannot be read, or goes while we look, counts nothing. Follows no link. */
export async function sizeOf(folder: string, max: Size, signal: AbortSignal): Promise<Size> {
  let bytes = 0;
  let entries = 0;
  const folders = [folder];
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    const opened = await opendir(next).catch(() => undefined);
    if (opened === undefined) continue;
    for await (const entry of opened) {
      const path = join(next, entry.name);
      if (entry.isDirectory()) folders.push(path);
      entries += 1;
      bytes += await lstat(path).then(
        ({ blocks }) => blocks * BLOCK_BYTES,
        () => 0,
      );
      if (bytes > max.bytes || entries > max.entries || signal.aborted) return { bytes, entries };
    }
  }
  return { bytes, entries };
}
