/**
 * Work that holds up the event loop takes turns: one piece in one round of it, and the owners of what waits one after the other
 * (round-robin scheduling). So a caller with fifty pieces of work stops nobody: neither the loop, nor those who come with one.
 */
import type { Scheduler } from './scheduler.ts';

export class RoundRobin {
  readonly #scheduler: Scheduler;
  /** By owner, who is next first. Each has at most what its operations at once may ask for. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #taken = false;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** Resolves when it is this owner's turn: at once where nobody has had one in this round. */
  turn(owner: string): Promise<void> {
    if (!this.#taken) {
      this.#take();
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const queue = this.#waiting.get(owner);
      if (queue === undefined) this.#waiting.set(owner, [resolve]);
      else queue.push(resolve);
    });
  }

  #take(): void {
    this.#taken = true;
    this.#scheduler.immediate(() => this.#next());
  }

  #next(): void {
    const [first] = this.#waiting;
    this.#taken = false;
    if (first === undefined) return;
    const [owner, queue] = first;
    const go = queue.shift();
    this.#waiting.delete(owner);
    if (queue.length > 0) this.#waiting.set(owner, queue); // behind the others
    this.#take();
    go?.();
  }
}
