/** How much room a file system has left, and how much of it must stay: what is written there ends before the disk is full. */
import { statfs } from 'node:fs/promises';
import { DISK_FREE_BYTES_MIN, DISK_FREE_SHARE_MIN } from '../../hands/limit.ts';

export interface DiskRoom {
  readonly freeBytes: number;
  /** Below it nothing of a session may grow, and a server takes no new work. */
  readonly floorBytes: number;
}

/** Of the file system that a folder is on. */
export async function diskRoomOf(folder: string): Promise<DiskRoom> {
  const { bavail, blocks, bsize } = await statfs(folder);
  const floorBytes = Math.min(DISK_FREE_BYTES_MIN, Math.floor(blocks * bsize * DISK_FREE_SHARE_MIN));
  return { freeBytes: bavail * bsize, floorBytes };
}

export function isLow({ freeBytes, floorBytes }: DiskRoom): boolean {
  return freeBytes < floorBytes;
}

/** So little that there is no time to find out who takes it. */
export function isAlmostNone({ freeBytes, floorBytes }: DiskRoom): boolean {
  return freeBytes < floorBytes / 2;
}
