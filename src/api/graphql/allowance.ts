/** What one operation may read for its answer (READING-1), and what the process is told of it until the answer is made. */
import { AnswerTooLarge, type Reading } from '../../../schema/reading.ts';
import { READ_BYTES_MAX, WHOLE_BODIES_BYTES_MAX } from './limits.ts';
import type { Outgoing } from './outgoing.ts';

/** A whole body is parsed; what comes of it takes some times its text. */
const PARSED_TIMES = 4;

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

  take(bytes: number): void {
    this.#take(bytes, bytes);
  }

  takeWhole(bytes: number): void {
    if (this.#whole + bytes > this.#wholeMax) {
      throw new AnswerTooLarge('This operation reads whole bodies of', this.#wholeMax);
    }
    this.#take(bytes, bytes * PARSED_TIMES);
    this.#whole += bytes;
  }

  /** READING-1 */
  #take(bytes: number, held: number): void {
    if (this.#read + bytes > READ_BYTES_MAX) throw new AnswerTooLarge('This operation reads', READ_BYTES_MAX);
    if (!this.#isOver) {
      this.#outgoing.make(held);
      this.#told += held;
    }
    this.#read += bytes;
  }

  /** The answer, or the frame, is made: what follows is counted anew. */
  renew(): void {
    this.#outgoing.made(this.#told);
    this.#told = 0;
    this.#read = 0;
    this.#whole = 0;
  }

  /** The operation is over; what still runs of it counts for itself only. */
  end(): void {
    this.renew();
    this.#isOver = true;
  }
}
