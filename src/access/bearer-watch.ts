/**
 * What is open while its key or token ends: sockets and streams. Requests are looked up each time (ACCESS-1); what stays open is looked up here.
 *
 * ACCESS-2 Whoever has something open is looked up every LOOK_MS, and is told within a second of the store's knowing when it may ask no more: its key
 *    was revoked, rotated or replaced, or has expired, on whichever server. What it has open is ended by the door.
 * ACCESS-3 A store that does not answer ends nobody: an outage is not a revocation.
 */
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import { nextRound, type Scheduler } from '../kernel/scheduler.ts';
import type { Service } from '../kernel/service.ts';
import type { Access } from './access.ts';
import type { Principal } from './principal.ts';

/** Twice in the second that a revocation may take: the look itself takes some milliseconds, and a store under load some hundred. */
const LOOK_MS = 500;
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
      if (!signal.aborted && this.#open.size > 0) await this.#look();
    }
  }

  async #look(): Promise<void> {
    const all = [...this.#open];
    const ends = await this.#endsOf(all.map(({ principal }) => principal));
    let ended = 0;
    for (const [at, open] of all.entries()) {
      const why = ends?.[at];
      if (why === undefined || !this.#open.delete(open)) continue;
      open.end(why);
      ended += 1;
      if (ended % ENDED_PER_ROUND === 0) await nextRound(this.#scheduler);
    }
  }

  async #endsOf(principals: readonly Principal[]): Promise<readonly (string | undefined)[] | undefined> {
    try {
      const ends = await this.#access.endsOf(principals);
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
