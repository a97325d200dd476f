/**
 * User ids for isolated processes when the control plane runs as root: one per session that runs, none of them anybody's.
 * The kernel counts processes per user and does not count root's, so as root the process limit would not hold.
 */
import { Fault } from '../../../kernel/fault.ts';

/** Above what distributions and useradd give out, below the ranges of subuid. */
const FIRST_UID = 210_000;
/** More sessions than one machine runs; the ids wrap around among the free ones. */
const UIDS = 10_000;
/** All brains share one: each is alone in its namespaces, and owns no file. */
export const BRAIN_UID = FIRST_UID - 1;

/** Every user id is taken: as many sessions run as this machine has ids for. */
export class UserSlotsTaken extends Fault {
  readonly code = 'USER_SLOTS_TAKEN';
}

export class UserSlots {
  readonly #taken = new Set<number>();
  #next = 0;

  /** `wanted` when it is one of ours and free, so that a workspace keeps its owner; else a free one. */
  take(wanted: number): number {
    if (isOurs(wanted) && !this.#taken.has(wanted)) {
      this.#taken.add(wanted);
      return wanted;
    }
    for (let tried = 0; tried < UIDS; tried += 1) {
      const uid = FIRST_UID + this.#next;
      this.#next = (this.#next + 1) % UIDS;
      if (this.#taken.has(uid)) continue;
      this.#taken.add(uid);
      return uid;
    }
    throw new UserSlotsTaken(`${UIDS} sessions run on this machine: wait until one hibernates.`);
  }

  release(uid: number): void {
    this.#taken.delete(uid);
  }
}

/** Whether only what we launch as root runs as this user. */
export function isUserOfSandbox(uid: number): boolean {
  return uid === BRAIN_UID || isOurs(uid);
}

function isOurs(uid: number): boolean {
  return uid >= FIRST_UID && uid < FIRST_UID + UIDS;
}
