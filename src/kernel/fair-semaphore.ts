/** So many at once; of those who wait, the owner who has had least is next, and of that owner the part (fair-queue.ts). A wait can be given up. */
import { FairQueue } from './fair-queue.ts';
import { once } from './tail.ts';

export class FairSemaphore {
  #free: number;
  readonly #waiting = new FairQueue<() => void>();

  constructor(permits: number) {
    this.#free = permits;
  }

  /** Answers what gives the permit back, to be called once; undefined when `signal` aborted first. */
  async acquire(owner: string, part: string, signal: AbortSignal): Promise<(() => void) | undefined> {
    if (signal.aborted) return undefined;
    if (this.#free > 0) {
      this.#free -= 1;
      return this.#release;
    }
    let isMine = false;
    await once((wake) => {
      const take = (): void => {
        isMine = true;
        wake();
      };
      return this.#waiting.push(owner, part, take);
    }, signal);
    return isMine ? this.#release : undefined;
  }

  readonly #release = (): void => {
    const next = this.#waiting.take();
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    next.charge(1);
    next.item(); // hands it on
  };
}
