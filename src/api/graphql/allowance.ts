/**
 * What one operation may read for its answer (READING-1), and what the process is told of it until the answer is made.
 *
 * READING-2 an operation that was refused something is refused everything for the rest of its answer, or of its frame, by the same error: a
 *    document with eight hundred whole bodies is refused once, and not eight hundred times.
 */
import { AnswerTooLarge, type Reading } from '../../../schema/reading.ts';
import { Fault } from '../../kernel/fault.ts';
import { READ_BYTES_MAX, WHOLE_BODIES_BYTES_MAX } from './limits.ts';
import type { OutgoingAccount } from './outgoing.ts';

export class Allowance implements Reading {
  readonly #outgoing: Pick<OutgoingAccount, 'make' | 'made'>;
  readonly #wholeMax: number;
  #read = 0;
  #told = 0;
  #whole = 0;
  #refusal: Fault | undefined;
  #isOver = false;

  constructor(outgoing: Pick<OutgoingAccount, 'make' | 'made'>, wholeMax = WHOLE_BODIES_BYTES_MAX) {
    this.#outgoing = outgoing;
    this.#wholeMax = wholeMax;
  }

  get bytes(): number {
    return this.#read;
  }

  /** Something of this answer, or of this frame, is missing. */
  get isRefused(): boolean {
    return this.#refusal !== undefined;
  }

  /** READING-1 */
  take(bytes: number): void {
    this.#checked(() => this.#take(bytes));
  }

  takeWhole(bytes: number): void {
    this.#checked(() => {
      if (this.#whole + bytes > this.#wholeMax) {
        throw new AnswerTooLarge('This operation reads whole bodies of', this.#wholeMax);
      }
      this.#take(bytes);
      this.#whole += bytes;
    });
  }

  /** What the process is told of: it is counted elsewhere from now on. */
  handOver(): number {
    const told = this.#told;
    this.#outgoing.made(told);
    this.#told = 0;
    return told;
  }

  /** The answer, or the frame, is made: what follows is counted anew. */
  renew(): void {
    this.handOver();
    this.#read = 0;
    this.#whole = 0;
    this.#refusal = undefined;
  }

  /** The operation is over; what still runs of it counts for itself only. */
  end(): void {
    this.renew();
    this.#isOver = true;
  }

  #take(bytes: number): void {
    if (this.#read + bytes > READ_BYTES_MAX) throw new AnswerTooLarge('This operation reads', READ_BYTES_MAX);
    if (!this.#isOver) {
      this.#outgoing.make(bytes);
      this.#told += bytes;
    }
    this.#read += bytes;
  }

  /** READING-2 */
  #checked(take: () => void): void {
    if (this.#refusal !== undefined) throw this.#refusal;
    try {
      take();
    } catch (error) {
      if (error instanceof Fault) this.#refusal = error;
      throw error;
    }
  }
}
