/**
 * The room on the disk of the data folder, for the server as a whole: below its floor (platform/host/disk-room.ts) sessions that wait go on
 * waiting, /readyz says why, and the log says it once. What runs goes on, and may not grow (QUOTA-1): it may be what makes room.
 */
import type { Logger } from '../kernel/logger.ts';
import { Outage } from '../kernel/outage.ts';
import { type DiskRoom, diskRoomOf, isLow } from '../platform/host/disk-room.ts';

export class DiskFloor {
  readonly #roomOf: () => Promise<DiskRoom>;
  readonly #logger: Logger;
  #hadRoom = true;

  constructor(dataFolder: string, logger: Logger, roomOf = (): Promise<DiskRoom> => diskRoomOf(dataFolder)) {
    this.#roomOf = roomOf;
    this.#logger = logger;
  }

  /** Whether work may begin here. */
  async hasRoom(): Promise<boolean> {
    const room = await this.#roomOf().catch(() => undefined);
    const hasRoom = room === undefined || !isLow(room); // a disk that does not say is the store's to complain of
    if (hasRoom !== this.#hadRoom) {
      if (hasRoom) this.#logger.info('the disk of the data folder has room again', { ...room });
      else
        this.#logger.error('the disk of the data folder is almost full: sessions wait until there is room', {
          ...room,
        });
    }
    this.#hadRoom = hasRoom;
    return hasRoom;
  }

  /** Throws Outage when work may not begin here. */
  async check(): Promise<void> {
    if (await this.hasRoom()) return;
    throw new Outage(
      'DISK_LOW',
      'The disk of the data folder is almost full: sessions wait. Make room; the server goes on by itself.',
    );
  }
}
