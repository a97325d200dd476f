/**
 * Who gets a slot, when more want one than there are. Who waits and who runs come in; what is remembered is who was served when.
 *
 * ADMIT-1 A slot goes to the organisation that has fewest sessions running on this server, of those with as many to the one that was served
 *    longest ago, and within it to the session that has waited longest; so organisations that wait have slots in turn, however many sessions
 *    one of them has.
 * ADMIT-2 Where organisations share a server of KEEPING_SLOTS_MIN slots or more, some are kept for those that have nothing running: whoever
 *    comes anew finds one free, also while another organisation has a thousand sessions and long turns. On a smaller server it waits for
 *    the next slot that comes free.
 * ADMIT-3 A sweep sees some of each organisation that waits, whatever one of them has (SessionStore.wanted).
 * ADMIT-4 A turn is never ended for somebody else: only who has nothing to do gives way (SUPERVISOR-3), and no more of them than that helps.
 */
import type { OrganisationId } from '../kernel/id.ts';
import type { Session } from '../sessions/session.ts';

/** One slot in so many is kept: a newcomer's next session finds one while the slot of the one before is still ending. */
export const KEPT_SHARE = 8;
/** Servers with fewer keep none: it would be too large a part of what there is. */
export const KEEPING_SLOTS_MIN = 4;

export type Waiting = Pick<Session, 'id' | 'organisationId' | 'statusAt'>;

export interface Slots {
  readonly max: number;
  /** Sessions that have something to do, by organisation. */
  readonly running: ReadonlyMap<OrganisationId, number>;
  /** Slots of sessions that have nothing to do, those that are ending too. */
  readonly idle: number;
  /** There are several organisations. */
  readonly isShared: boolean;
}

export interface Admitted<W extends Waiting> {
  /** In this order, and now. */
  readonly open: readonly W[];
  /** So many that have nothing to do are asked to give way. */
  readonly evict: number;
  readonly left: readonly W[];
}

/** Organisations of which it is remembered when they were served: of the others it was longer ago. */
const SERVED_MAX = 10_000;

export class Admission {
  /** When, counted in slots; who was served last stands last. */
  readonly #servedAt = new Map<OrganisationId, number>();
  #served = 0;

  admit<W extends Waiting>(waiting: readonly W[], slots: Slots): Admitted<W> {
    const queues = queuesOf(waiting);
    const running = new Map(slots.running);
    const busy = [...running.values()].reduce((sum, count) => sum + count, 0);
    const free = Math.max(0, slots.max - busy - slots.idle);
    const admitted: W[] = [];
    let room = slots.max - busy;
    for (; room > 0; room -= 1) {
      const next = this.#nextOf(queues, running, (has) => mayAdmit(has, room, slots));
      if (next === undefined) break;
      admitted.push(next);
      running.set(next.organisationId, (running.get(next.organisationId) ?? 0) + 1);
    }
    const left = [...queues.values()].flat();
    const keep = left.length > 0 ? Math.min(room, keptOf(slots)) : 0; // while somebody waits, what is kept is really free
    const open = admitted.slice(0, free);
    for (const { organisationId } of open) this.#serve(organisationId);
    const evict = Math.min(slots.idle, Math.max(0, admitted.length + keep - free)); // ADMIT-4
    return { open, evict, left: [...admitted.slice(free), ...left] };
  }

  /** ADMIT-1. Takes it off its queue. */
  #nextOf<W extends Waiting>(
    queues: ReadonlyMap<OrganisationId, W[]>,
    running: ReadonlyMap<OrganisationId, number>,
    may: (running: number) => boolean,
  ): W | undefined {
    let best: { queue: W[]; rank: readonly number[] } | undefined;
    for (const [organisationId, queue] of queues) {
      const [first] = queue;
      const has = running.get(organisationId) ?? 0;
      if (first === undefined || !may(has)) continue;
      const rank = [has, this.#servedAt.get(organisationId) ?? 0, first.statusAt];
      if (best === undefined || isBefore(rank, best.rank)) best = { queue, rank };
    }
    return best?.queue.shift();
  }

  #serve(organisationId: OrganisationId): void {
    this.#served += 1;
    this.#servedAt.delete(organisationId);
    this.#servedAt.set(organisationId, this.#served);
    const [longestAgo] = this.#servedAt.keys();
    if (this.#servedAt.size > SERVED_MAX && longestAgo !== undefined) this.#servedAt.delete(longestAgo);
  }
}

/**
 * Whether an organisation that has so many sessions running may have one more of the `room` that there is. This is the place where the quota of
 * an organisation will be asked.
 */
function mayAdmit(running: number, room: number, slots: Slots): boolean {
  return running === 0 || room > keptOf(slots); // ADMIT-2
}

function keptOf({ max, isShared }: Slots): number {
  return isShared && max >= KEEPING_SLOTS_MIN ? Math.max(1, Math.floor(max / KEPT_SHARE)) : 0;
}

/** Those of each organisation, who has waited longest first. */
function queuesOf<W extends Waiting>(waiting: readonly W[]): Map<OrganisationId, W[]> {
  const queues = new Map<OrganisationId, W[]>();
  for (const session of waiting.toSorted((a, b) => a.statusAt - b.statusAt)) {
    const queue = queues.get(session.organisationId);
    if (queue === undefined) queues.set(session.organisationId, [session]);
    else queue.push(session);
  }
  return queues;
}

/** By the first number in which they differ. */
function isBefore(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at >= 0 && (a[at] ?? 0) < (b[at] ?? 0);
}
