/**
 * What one operation may read of logs, over all of its lists, however many it names; and its turns to do so.
 *
 * It is spent with the names that the document gives, and a list that meets its end is shorter; the allowance (reading.ts) counts what is taken out
 * of the store, whatever is made of it, and refuses.
 *
 * BUDGET-1 An operation takes at most OPERATION_LOG_BYTES_MAX of events (as often as it names their bodies, whole ones with all their bytes) and
 *    looks through a log for what passes a filter at most SCANS_MAX times. A list ends where the budget does, with the cursor to go
 *    on from; one that could not even begin is refused (LogBudgetSpent).
 * BUDGET-2 Reads take turns (kernel/round-robin.ts), those of followers that catch up too: the event loop goes round between any two
 *    of them, and whoever asks for much waits behind those who ask for little.
 * TURNS-1 What is large takes turns as well, apart from the reads of the same principal: each whole body that is read and parsed, and each
 *    answer or frame of LARGE_BYTES or more that is made.
 */
import type { Principal } from '../src/access/principal.ts';
import { Fault } from '../src/kernel/fault.ts';
import type { SessionId } from '../src/kernel/id.ts';
import type { RoundRobin } from '../src/kernel/round-robin.ts';

/** Bytes of events in the answer to one operation: a page of 500 events at their largest that are not spilled. */
export const OPERATION_LOG_BYTES_MAX = 16 * 1024 * 1024;
/** Looks through a log for what passes a filter, SCAN_EVENTS_MAX events each: a hundred thousand events. */
export const SCANS_MAX = 50;

/** What was read for an answer or a frame from which on it is made in a turn: below it, making it takes a millisecond or two. */
export const LARGE_BYTES = 256 * 1024;

export class LogBudgetSpent extends Fault {
  readonly code = 'LOG_BUDGET_SPENT';

  constructor() {
    super(
      `This operation has read as much of logs as one may: ${OPERATION_LOG_BYTES_MAX} bytes, or ${SCANS_MAX} looks for what passes a filter. Ask for fewer lists or bodies at once.`,
    );
  }
}

export class LogBudget {
  readonly #turns: RoundRobin;
  readonly #owner: string;
  #bytes = OPERATION_LOG_BYTES_MAX;
  #scans = SCANS_MAX;

  constructor(turns: RoundRobin, principal: Principal) {
    this.#turns = turns;
    this.#owner = ownerOf(principal);
  }

  get hasBytes(): boolean {
    return this.#bytes > 0;
  }

  /** BUDGET-2. Reads of one session stand in no other session's way. */
  turn(sessionId?: SessionId): Promise<void> {
    return this.#turns.turn(this.#owner, sessionId);
  }

  /** TURNS-1. Before a whole body is read. */
  largeTurn(sessionId?: SessionId): Promise<void> {
    return this.#turns.turn(`${this.#owner} large`, sessionId);
  }

  /** TURNS-1. Before something is made of so many bytes; undefined where it need not wait. */
  turnToMake(bytes: number, sessionId?: SessionId): Promise<void> | undefined {
    return bytes < LARGE_BYTES ? undefined : this.largeTurn(sessionId);
  }

  /** Before one look through a log for what passes a filter. False when none is left. */
  scan(): boolean {
    this.#scans -= 1;
    return this.#scans >= 0;
  }

  /** Whether that much is left; it is spent then. */
  spend(bytes: number): boolean {
    if (bytes > this.#bytes) return false;
    this.#bytes -= bytes;
    return true;
  }

  /** Spends everything on one thing that is larger: alone it has to be answered. False when something was read before. */
  spendAll(): boolean {
    const isWhole = this.#bytes === OPERATION_LOG_BYTES_MAX;
    if (isWhole) this.#bytes = 0;
    return isWhole;
  }
}

/** Those who share turns: all that one key or one client token's session asks for. */
function ownerOf(principal: Principal): string {
  return principal.kind === 'key' ? principal.keyId : principal.sessionId;
}
