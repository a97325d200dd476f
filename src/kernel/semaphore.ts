/** So many at once, the others in the order in which they came. A wait can be given up. */
import { once } from './tail.ts';

export class Semaphore {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(permits: number) {
    this.#free = permits;
  }

  /** Answers what gives the permit back, to be called once; undefined when `signal` aborted first. */
  async acquire(signal: AbortSignal): Promise<(() => void) | undefined> {
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
      this.#waiting.add(take);
      return () => this.#waiting.delete(take);
    }, signal);
    return isMine ? this.#release : undefined;
  }

  readonly #release = (): void => {
    const [next] = this.#waiting;
    if (next === undefined) this.#free += 1;
    else next(); // hands it on: its wait takes it off the list
  };
}
