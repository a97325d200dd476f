/** Going on over a database that is away for a moment: a restart, an election, a connection that was cut. */
import { MongoBulkWriteError, MongoError } from 'mongodb';
import type { Clock } from '../../kernel/clock.ts';
import { Backoff } from '../../kernel/backoff.ts';
import { isUnknownOutcome, translateError, wasClosed } from './translate-error.ts';

/** Elections take some seconds, a restart with recovery up to half a minute; who waits longer is better told. */
export const PATIENCE_MS = 30_000;
/**
 * Nothing was done, and the next time it may be: a cursor that went with its server (43, 237), a plan that went with its index
 * (175), another's write in the way (112), no member to read from (133), no majority yet (134), a cache under pressure (365).
 */
const PASSING: ReadonlySet<unknown> = new Set([43, 112, 133, 134, 175, 237, 365]);
const BACKOFF = { firstMs: 20, ceilingMs: 1_000, heldMs: Infinity };

/** Does `work`, which may be done more than once, until the database has answered or PATIENCE_MS are over. Throws translated errors. */
export async function patiently<T>(clock: Clock, work: () => Promise<T>): Promise<T> {
  const patience = new Patience(clock);
  for (;;) {
    try {
      return await work();
    } catch (error) {
      await patience.orThrow(error);
    }
  }
}

/** The waits of one piece of work. */
export class Patience {
  readonly #clock: Clock;
  readonly #backoff = new Backoff(BACKOFF);
  #until: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Waits a little when the database may answer again; else, or when patience has run out, throws the error, translated. */
  async orThrow(error: unknown): Promise<void> {
    this.#until ??= this.#clock.now() + PATIENCE_MS;
    const cause = commandErrorOf(error);
    const isPassing = (isUnknownOutcome(cause) || hasPassingCode(cause)) && !wasClosed(cause);
    if (!isPassing || this.#clock.now() >= this.#until) throw translateError(cause);
    await this.wait();
  }

  async wait(): Promise<void> {
    await this.#clock.sleep(this.#backoff.nextMs(0));
  }
}

/** A bulk write wraps what its command threw, and then looks like a refusal. */
function commandErrorOf(error: unknown): unknown {
  const isWrapped = error instanceof MongoBulkWriteError && error.errorResponse instanceof MongoError;
  return isWrapped ? error.errorResponse : error;
}

function hasPassingCode(error: unknown): boolean {
  return error instanceof MongoError && PASSING.has(error.code);
}
