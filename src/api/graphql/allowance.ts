/** What one operation may read for its answer (READING-1), and what the process is told of it until the answer is made. */
import { AnswerTooLarge, type Reading } from '../../../schema/reading.ts';
import { READ_BYTES_MAX, WHOLE_BODIES_BYTES_MAX } from './limits.ts';
import type { Outgoing } from './outgoing.ts';

export class Allowance implements Reading {
  readonly #outgoing: Pick<Outgoing, 'make' | 'made'>;
  readonly #wholeMax: number;
  #read = 0;
  #told = 0;
  #whole = 0;
  #isOver = false;

  constructor(outgoing: Pick<Outgoing, 'make' | 'made'>, wholeMax = WHOLE_BODIES_BYTES_MAX) {
    this.#outgoing = outgoing;
    this.#wholeMax = wholeMax;
  }

  get bytes(): number {
    return this.#read;
  }

  /** READING-1 */
  take(bytes: number): void {
    if (this.#read + bytes > READ_BYTES_MAX) throw new AnswerTooLarge('This operation reads', READ_BYTES_MAX);
    if (!this.#isOver) {
      this.#outgoing.make(bytes);
      this.#told += bytes;
    }
    this.#read += bytes;
  }

  takeWhole(bytes: number): void {
    if (this.#whole + bytes > this.#wholeMax) {
      throw new AnswerTooLarge('This operation reads whole bodies of', this.#wholeMax);
    }
    this.take(bytes);
    this.#whole += bytes;
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
  }

  /** The operation is over; what still runs of it counts for itself only. */
  end(): void {
    this.renew();
    this.#isOver = true;
  }
}
