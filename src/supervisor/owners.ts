/**
 * Which supervisors live, as this process sees it.
 *
 * OWNER-1 A heartbeat is a counter. An owner is dead to this process when it has looked on for LEASE_TTL_MS, on its own monotonic
 *         clock, and the counter has not changed. No time of another machine is looked at, so clocks that are wrong or put right
 *         do no harm.
 * OWNER-2 A process that has not looked for LOOKING_MS_MAX cannot say what happened meanwhile, so its watch over everybody begins anew:
 *         when the database was away for all of them, all have the time to beat again.
 * OWNER-3 Whether its own heartbeat is kept up a process knows by its last success, on its own monotonic clock, and asks nobody.
 */
import { type Clock, systemClock } from '../kernel/clock.ts';
import { LEASE_TTL_MS } from '../kernel/limit.ts';
import { BEAT_MS } from './limit.ts';
import type { OwnerStore } from './owner-store.ts';

/** With two beats that may fail after it, less than LEASE_TTL_MS. */
const LOOKING_MS_MAX = BEAT_MS;
/** Every start of a server is a new owner: one that has been dead for so long is swept out by whoever watched it. */
const DEAD_KEPT_MS = 600_000;

interface Seen {
  readonly beats: number;
  /** Since when, by the clock of this process, it has been this number. */
  readonly since: number;
}

export class Owners {
  readonly #store: OwnerStore;
  readonly #clock: Pick<Clock, 'monotonicNow'>;
  #seen: ReadonlyMap<string, Seen> = new Map();
  #living: ReadonlySet<string> = new Set();
  #lookedAt = -Infinity;
  #beatenAt: number | undefined;

  constructor(store: OwnerStore, clock: Pick<Clock, 'monotonicNow'> = systemClock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Says that `owner`, this process, lives. */
  async beat(owner: string): Promise<void> {
    const at = this.#clock.monotonicNow(); // others may have seen it as early as that
    await this.#store.beat(owner);
    this.#beatenAt = at;
  }

  /** OwnerStore.retire. */
  retire(owner: string): Promise<void> {
    return this.#store.retire(owner);
  }

  /** OWNER-3. False also before the first beat. */
  get isBeating(): boolean {
    return this.#beatenAt !== undefined && !this.hasLapsed;
  }

  /** OWNER-3: this process has had a heartbeat, and may be dead to the others by now. */
  get hasLapsed(): boolean {
    return this.#beatenAt !== undefined && this.#clock.monotonicNow() - this.#beatenAt >= LEASE_TTL_MS;
  }

  /** Whether that owner was alive when last looked. */
  lives(owner: string): boolean {
    return this.#living.has(owner);
  }

  /** Looks. Answers those that live. */
  async alive(): Promise<readonly string[]> {
    const [askedAt, lookedBefore] = [this.#clock.monotonicNow(), this.#lookedAt];
    const heartbeats = await this.#store.heartbeats();
    const now = this.#clock.monotonicNow();
    const wasLooking = now - lookedBefore <= LOOKING_MS_MAX; // OWNER-2
    const seen = heartbeats.map(({ owner, beats }): [string, Seen] => {
      const before = this.#seen.get(owner);
      const isSame = wasLooking && before?.beats === beats;
      return [owner, isSame ? before : { beats, since: now }];
    });
    this.#lookedAt = now;
    this.#seen = new Map(seen);
    const living = seen.filter(([, { since }]) => askedAt - since < LEASE_TTL_MS).map(([owner]) => owner); // OWNER-1
    this.#living = new Set(living);
    return living;
  }

  /** Retires those that have been dead for long. */
  async sweep(): Promise<void> {
    for (const [owner, { since }] of this.#seen)
      if (this.#lookedAt - since >= DEAD_KEPT_MS) await this.#store.retire(owner);
  }
}
