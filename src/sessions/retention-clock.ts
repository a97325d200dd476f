/**
 * The time that retention counts by. Wall clocks are set, and some are wrong: one that is a year ahead would have everything deleted at once.
 *
 * RETENTION-3 It is the wall clock's time, but it goes at most CATCH_UP times as fast as time passes, however many servers there are and however
 *    often they are started anew. So a clock that was set a year ahead has days of sleep taken from a rule in the first hour, and not a
 *    year, and somebody can put it right. It is never ahead of the clock of the server that looks.
 *
 * How far it has come lies in the store. A server that looks may set it forward by as much as has passed, by its own monotonic clock, since
 * it looked last, times CATCH_UP; from what it was then, so that two servers together do not go faster than one.
 */
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import type { RetentionStore } from './retention-store.ts';

/** A day in an hour: after a week without a server, retention is where it should be in seven hours. */
const CATCH_UP = 24;
/** It is set forward this often: rules count days, and each time is a write. */
const STEP_MS = 10_000;
/** So far behind the wall clock, somebody should know: it was set, or no server has run for as long. */
const BEHIND_MS_TOLD = 86_400_000;

interface Seen {
  readonly at: number;
  readonly monotonic: number;
}

export class RetentionClock {
  readonly #store: Pick<RetentionStore, 'time' | 'advance'>;
  readonly #clock: Pick<Clock, 'now' | 'monotonicNow'>;
  readonly #logger: Logger;
  #seen: Seen | undefined;
  #isTold = false;

  constructor(ports: {
    readonly store: Pick<RetentionStore, 'time' | 'advance'>;
    readonly clock: Pick<Clock, 'now' | 'monotonicNow'>;
    readonly logger: Logger;
  }) {
    this.#store = ports.store;
    this.#clock = ports.clock;
    this.#logger = ports.logger;
  }

  /** Looks, and sets it forward (RETENTION-3). */
  async now(): Promise<number> {
    const [wall, monotonic] = [this.#clock.now(), this.#clock.monotonicNow()];
    const before = this.#seen;
    if (before !== undefined && monotonic - before.monotonic < STEP_MS) return Math.min(wall, before.at);
    const at =
      before === undefined
        ? ((await this.#store.time()) ?? (await this.#store.advance(wall)))
        : await this.#store.advance(Math.min(wall, before.at + CATCH_UP * (monotonic - before.monotonic)));
    this.#seen = { at, monotonic };
    this.#tell(wall - at);
    return Math.min(wall, at);
  }

  #tell(behindMs: number): void {
    const isBehind = behindMs > BEHIND_MS_TOLD;
    if (isBehind && !this.#isTold)
      this.#logger.warn(
        'retention is behind the clock and catches up a day in an hour: no server was running for long, or the clock was set; if it is wrong, put it right',
        { behindMs },
      );
    this.#isTold = isBehind;
  }
}

/** As RetentionClock has it, without setting it forward. */
export async function retentionTime(
  store: Pick<RetentionStore, 'time'>,
  clock: Pick<Clock, 'now'>,
): Promise<number> {
  const wall = clock.now();
  return Math.min(wall, (await store.time()) ?? wall);
}
