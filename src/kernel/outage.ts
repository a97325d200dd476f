/**
 * A dependency that this server cannot do without (the store, its disk) does not do what it should at the moment. Nobody's
 * request is at fault: on every door it is UNAVAILABLE (503), and the same call may succeed after `retryAfterMs`.
 */
import { Fault } from './fault.ts';

/** An outage is rarely over sooner, and a client that asks every second is no burden. */
const RETRY_AFTER_MS = 1_000;

export class Outage extends Fault {
  readonly code = 'UNAVAILABLE';
  /** What kind of failure, in the adapter's own word, for logs and counts: SQLITE_FULL, NO_PRIMARY … */
  readonly reason: string;

  /** `sentence` names no secret and no path: callers read it too. */
  constructor(reason: string, sentence: string, cause?: unknown) {
    super(sentence, { cause, retryAfterMs: RETRY_AFTER_MS });
    this.reason = reason;
  }
}
