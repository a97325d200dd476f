/** So many at once, the others in the order in which they came. A wait can be given up. */
import { FairSemaphore } from './fair-semaphore.ts';

export class Semaphore {
  readonly #fair: FairSemaphore;

  constructor(permits: number) {
    this.#fair = new FairSemaphore(permits);
  }

  /** Answers what gives the permit back, to be called once; undefined when `signal` aborted first. */
  acquire(signal: AbortSignal): Promise<(() => void) | undefined> {
    return this.#fair.acquire('', '', signal); // among equals it is the order in which they came
  }
}
