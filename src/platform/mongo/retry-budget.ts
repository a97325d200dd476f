/** Going on over a database that is away for a moment: a restart, an election, a connection that was cut. */
import type { Clock } from '../../kernel/clock.ts';
import { Backoff } from '../../kernel/backoff.ts';
import { Outage } from '../../kernel/outage.ts';
import { isPassing, translateError } from './translate-error.ts';

/** Elections take some seconds, a restart with recovery up to half a minute; who waits longer is better told. */
export const RETRY_BUDGET_MS = 30_000;
const NOT_VISIBLE =
  'A write of another server did not reach a majority in time. Check that most members of the replica set live and keep up.';
const BACKOFF = { firstMs: 20, ceilingMs: 1_000, heldMs: Infinity };

/** Does `work`, which may be done more than once, until the database has answered or RETRY_BUDGET_MS are over. Throws translated errors. */
export async function withRetries<T>(clock: Clock, work: () => Promise<T>): Promise<T> {
  const budget = new RetryBudget(clock);
  for (;;) {
    try {
      return await work();
    } catch (error) {
      await budget.orThrow(error);
    }
  }
}

/** The waits of one piece of work. */
export class RetryBudget {
  readonly #clock: Clock;
  readonly #backoff = new Backoff(BACKOFF);
  #until: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Waits a little when the database may answer again; else, or when the budget is used up, throws the error, translated. */
  async orThrow(error: unknown): Promise<void> {
    this.#until ??= this.#clock.monotonicNow() + RETRY_BUDGET_MS;
    if (!isPassing(error) || this.#clock.monotonicNow() >= this.#until) throw translateError(error);
    await this.#wait();
  }

  /** Waits a little for what must come soon. Throws Outage when it does not. */
  async waitOrThrow(): Promise<void> {
    this.#until ??= this.#clock.monotonicNow() + RETRY_BUDGET_MS;
    if (this.#clock.monotonicNow() >= this.#until) throw new Outage('TIMEOUT', NOT_VISIBLE, undefined);
    await this.#wait();
  }

  async #wait(): Promise<void> {
    await this.#clock.sleep(this.#backoff.nextMs(0));
  }
}
