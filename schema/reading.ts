/**
 * What one operation takes out of the store, in bytes. It is counted where it is read, before it is parsed or shown: what an
 * operation holds is bounded whatever its document makes of it. What is over it is refused; the budget of logs (log-budget.ts) counts what lists
 * will take in the answer, and ends them early.
 *
 * READING-1 an operation reads no more than its allowance; what would be over it is refused before it is loaded, if its size is known.
 */
import { Fault } from '../src/kernel/fault.ts';

export interface Reading {
  /** What was taken so far, for the answer or the frame that is being made. */
  readonly bytes: number;
  /** Throws AnswerTooLarge, or an Outage when the process as a whole is making too much. */
  take(bytes: number): void;
  /** Whole bodies count by themselves too. */
  takeWhole(bytes: number): void;
  /** A frame of a subscription is made: the next one is counted anew. */
  renew(): void;
}

/** What was asked for is larger than an answer may be. Nothing was changed by asking. */
export class AnswerTooLarge extends Fault {
  readonly code = 'ANSWER_TOO_LARGE';

  constructor(what: string, bytesMax: number) {
    super(
      `${what} more than ${bytesMax} bytes. Ask for smaller pages (\`first\`), for bodies under fewer names, or for whole bodies one at a time.`,
    );
  }
}
