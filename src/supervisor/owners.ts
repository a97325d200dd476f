/**
 * Which supervisors live, as this process sees it: one whose heartbeat has not changed for LEASE_TTL_MS, while this process was
 * looking, is dead.
 *
 * The time of one machine is never compared with that of another, so clocks that disagree do no harm; and when the database was
 * away for everybody, so that nobody could beat, everybody gets the time to beat again.
 */
import { LEASE_TTL_MS } from '../kernel/limit.ts';
import { BEAT_MS } from './limit.ts';
import type { OwnerStore } from './owner-store.ts';

/** Who has not looked for so long begins anew: it cannot say what happened meanwhile. */
const LOOKING_MS_MAX = 2 * BEAT_MS;
/** However wrong clocks are, they are less wrong than this: a heartbeat that ran out so long ago needs no watching. */
const SKEW_MS_MAX = 5 * 60_000;

interface Seen {
  readonly expiresAt: number;
  /** Since when, by the clock of this process, it has been this one. */
  readonly since: number;
}

export class Owners {
  readonly #store: OwnerStore;
  #seen: ReadonlyMap<string, Seen> = new Map();
  #lookedAt = -Infinity;

  constructor(store: OwnerStore) {
    this.#store = store;
  }

  /** OwnerStore.beat. */
  beat(owner: string, expiresAt: number): Promise<void> {
    return this.#store.beat(owner, expiresAt);
  }

  /** OwnerStore.retire. */
  retire(owner: string): Promise<void> {
    return this.#store.retire(owner);
  }

  /** Whether the heartbeat of this process itself, `owner`, has been kept up; by its own clock. */
  async isBeating(owner: string, now: number): Promise<boolean> {
    const heartbeats = await this.#store.heartbeats();
    return heartbeats.some((heartbeat) => heartbeat.owner === owner && heartbeat.expiresAt > now);
  }

  async alive(now: number): Promise<readonly string[]> {
    const heartbeats = await this.#store.heartbeats();
    const wasLooking = now - this.#lookedAt <= LOOKING_MS_MAX;
    this.#lookedAt = Math.max(this.#lookedAt, now);
    const seen = heartbeats.map(({ owner, expiresAt }): [string, Seen] => {
      const before = this.#seen.get(owner);
      const isSame = wasLooking && before?.expiresAt === expiresAt;
      return [owner, isSame ? before : { expiresAt, since: now }];
    });
    this.#seen = new Map(seen);
    const lives = ({ expiresAt, since }: Seen): boolean =>
      now - since < LEASE_TTL_MS && expiresAt > now - SKEW_MS_MAX;
    return seen.filter(([, it]) => lives(it)).map(([owner]) => owner);
  }
}
