/**
 * What a checkpoint is about to take, from its manifest alone: it is held against the bounds and the room of this disk before the first file
 * is made. So neither an older server that knew no bounds nor a forger fills a disk.
 */
import {
  CheckpointDamaged,
  type ContentId,
  NoRoomForWorkspace,
  type WorkspaceClaim,
} from '../../../hands/workspace-archive.ts';
import { diskRoomOf } from '../disk-room.ts';
import { HOLE_BYTES } from './sparse-content.ts';
import { entriesOf } from './workspace-contents.ts';
import { type Entry, ROOTS } from './workspace-manifest.ts';
import type { Bounds } from './workspace-save.ts';

/** Counts what a manifest says; throws CheckpointDamaged when it is more than anybody saves. */
export class RestoreTally {
  files = 0;
  /** Of contents, each as often as a file has it. */
  bytes = 0;
  entries = 0;
  #places = 0;
  readonly #bounds: Bounds;

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
  }

  add(entry: Entry): void {
    const { bytesMax, entriesMax } = this.#bounds;
    if (entry.kind === 'up') return;
    if (entry.kind === 'place') {
      this.#places += 1; // no more than files, each of which needs one
      if (this.#places > entriesMax) throw new CheckpointDamaged('it has too many contents');
      return;
    }
    this.entries += 1;
    if (this.entries > entriesMax + ROOTS.length) throw new CheckpointDamaged('it has too many files');
    if (entry.kind !== 'file') return;
    this.files += 1;
    this.bytes += entry.sparseBytes ?? entry.bytes;
    if (this.bytes > bytesMax) throw new CheckpointDamaged('its files are too large');
  }
}

/** Throws CheckpointDamaged, or NoRoomForWorkspace when `folder` is on a disk that has no room for it above its floor. */
export async function checkRoom(
  claim: WorkspaceClaim,
  root: ContentId,
  folder: string,
  bounds: Bounds,
): Promise<void> {
  const tally = new RestoreTally(bounds);
  for await (const entry of entriesOf(claim, root)) tally.add(entry);
  const needed = tally.bytes + tally.entries * HOLE_BYTES; // of the last block of each a part
  const { freeBytes, floorBytes } = await diskRoomOf(folder);
  const room = Math.max(0, freeBytes - floorBytes); // QUOTA-1
  if (needed > room) throw new NoRoomForWorkspace(needed, room);
}
