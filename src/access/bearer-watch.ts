/**
 * What is open while its key or token ends: sockets and streams. Requests are looked up each time (ACCESS-1); what stays open is looked up here.
 *
 * ACCESS-2 Whoever has something open is looked up every LOOK_MS, also while the store has not answered the look before, and is told when it may
 *    ask no more: its key was revoked, rotated or replaced, or has expired, on whichever server. That is LOOK_MS and one answer of the store after
 *    it is stored, so within a second as long as the store answers within three quarters of one; nothing remembered makes it longer. What
 *    it has open is ended by the door.
 * ACCESS-3 A store that does not answer ends nobody: an outage is not a revocation. To count whom it could not tell of in time as ended would
 *    close everything that everybody has open at each slow second of the store, and all would come back at once to a store that is
 *    slow. What they are sent meanwhile comes out of that same store.
 */
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import { nextRound, type Scheduler } from '../kernel/scheduler.ts';
import type { Service } from '../kernel/service.ts';
import type { Access } from './access.ts';
import type { Principal } from './principal.ts';

/** Four times in the second that a revocation may take: a store under load has three quarters of it to answer. */
const LOOK_MS = 250;
/** Looks that the store has not answered. More of them would not be answered sooner; with these a slow second is bridged. */
const LOOKS_MAX = 4;
/** Ended in one round of the event loop: each is a write to its socket, and thousands of one key may end at once. */
const ENDED_PER_ROUND = 100;

interface Open {
  readonly principal: Principal;
  readonly end: (why: string) => void;
}

export class BearerWatch implements Service {
  readonly name = 'bearer watch';
  readonly #access: Pick<Access, 'endsOf'>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #scheduler: Scheduler;
  /** As many as there are sockets and streams, which the doors bound. */
  readonly #open = new Set<Open>();
  readonly #looks = new Set<Promise<void>>();
  #isBlind = false;

  constructor(ports: {
    readonly access: Pick<Access, 'endsOf'>;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly scheduler: Scheduler;
  }) {
    this.#access = ports.access;
    this.#clock = ports.clock;
    this.#logger = ports.logger;
    this.#scheduler = ports.scheduler;
  }

  /** How many are looked up: for tests and for the operator. */
  get size(): number {
    return this.#open.size;
  }

  /** Calls `end` once, with the reason in a sentence, when this principal may ask no more. Answers what ends the watch. `end` must not throw. */
  add(principal: Principal, end: (why: string) => void): () => void {
    const open = { principal, end };
    this.#open.add(open);
    return () => void this.#open.delete(open);
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(LOOK_MS, signal); // ACCESS-2
      if (this.#looks.size >= LOOKS_MAX) await Promise.race(this.#looks);
      if (signal.aborted || this.#open.size === 0) continue;
      const look = this.#look().finally(() => this.#looks.delete(look));
      this.#looks.add(look);
    }
    await Promise.all(this.#looks);
  }

  async #look(): Promise<void> {
    const all = [...this.#open];
    const ends = await this.#endsOf(all.map(({ principal }) => principal));
    let ended = 0;
    for (const [at, open] of all.entries()) {
      const why = ends?.[at];
      if (why === undefined || !this.#open.delete(open)) continue; // another look may have ended it
      open.end(why);
      ended += 1;
      if (ended % ENDED_PER_ROUND === 0) await nextRound(this.#scheduler);
    }
  }

  async #endsOf(principals: readonly Principal[]): Promise<readonly (string | undefined)[] | undefined> {
    try {
      const ends = await this.#access.endsOf(principals, 'now');
      this.#isBlind = false;
      return ends;
    } catch (error) {
      if (!this.#isBlind)
        this.#logger.warn('keys and tokens could not be looked up; nobody is ended', { error });
      this.#isBlind = true;
      return undefined; // ACCESS-3
    }
  }
}
