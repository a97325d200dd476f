/**
 * Work that holds up the event loop takes turns: one piece in one round of it, and the owners of what waits one after the other
 * (round-robin scheduling), and of one owner its parts, for example its sessions. So a caller with fifty pieces of work stops nobody: neither the loop, nor those who come with one.
 */
import type { Scheduler } from './scheduler.ts';

export class RoundRobin {
  readonly #scheduler: Scheduler;
  /** By owner, who is next first. Each has at most what its operations at once may ask for. */
  readonly #waiting = new Map<string, Map<string, (() => void)[]>>();
  #taken = false;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** Resolves when it is the turn of this part of this owner: at once where nobody has had one in this round. */
  turn(owner: string, part = ''): Promise<void> {
    if (!this.#taken) {
      this.#take();
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const parts = this.#waiting.get(owner) ?? new Map<string, (() => void)[]>();
      this.#waiting.set(owner, parts);
      const queue = parts.get(part);
      if (queue === undefined) parts.set(part, [resolve]);
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
    const [owner, parts] = first;
    this.#waiting.delete(owner);
    const go = takeFirst(parts);
    if (parts.size > 0) this.#waiting.set(owner, parts); // behind the others
    this.#take();
    go?.();
  }
}

/** Of the part that is next, which goes behind the others. */
function takeFirst(parts: Map<string, (() => void)[]>): (() => void) | undefined {
  const [first] = parts;
  if (first === undefined) return undefined;
  const [part, queue] = first;
  parts.delete(part);
  const go = queue.shift();
  if (queue.length > 0) parts.set(part, queue);
  return go;
}
