/** What takes room on a disk, and how the file system counts it. */
export interface Size {
  readonly bytes: number;
  readonly entries: number;
}

/** Of stat's blocks, whatever the file system uses itself. */
export const BLOCK_BYTES = 512;
