/**
 * Work that holds up the event loop takes turns: one piece in one round of it (or some short ones), and of those who wait the owner, and its
 * part, that has used least of the loop's time (fair-queue.ts). So a caller with fifty pieces of work stops nobody: neither the loop, nor
 * those who come with one.
 */
import { FairQueue } from './fair-queue.ts';
import type { Scheduler } from './scheduler.ts';

/** A turn counts at least so much, however short it was: many short ones are work too. */
const TURN_MS_MIN = 0.1;

/** Turns of one round: so many, and none once the others have taken so long. */
export interface RoundBounds {
  readonly turns: number;
  readonly ms: number;
}

const ONE: RoundBounds = { turns: 1, ms: 0 };

export class RoundRobin {
  readonly #scheduler: Scheduler;
  readonly #now: () => number;
  readonly #bounds: RoundBounds;
  /** Each has at most what its operations at once may ask for. */
  readonly #waiting = new FairQueue<() => void>();
  /** In this round. */
  #given = 0;
  #roundAt = 0;
  /** Of the turn that was given last, if somebody had waited for it. */
  #charge: ((ms: number) => void) | undefined;
  #since = 0;

  /** `now`: in milliseconds; without it each turn counts the same. */
  constructor(scheduler: Scheduler, now: () => number = () => 0, bounds: RoundBounds = ONE) {
    this.#scheduler = scheduler;
    this.#now = now;
    this.#bounds = bounds;
  }

  /** Resolves when it is the turn of this part of this owner: at once where this round has one left and nobody waits. */
  turn(owner: string, part = ''): Promise<void> {
    if (this.takeFree()) return Promise.resolve();
    return new Promise((resolve) => void this.#waiting.push(owner, part, resolve));
  }

  /** A turn of this round that nobody waits for: true when it is the caller's. */
  takeFree(): boolean {
    if (this.#given > 0 && !this.#hasMore(this.#now())) return false;
    if (this.#waiting.size > 0) return false;
    if (this.#given === 0) {
      this.#roundAt = this.#now();
      this.#scheduler.immediate(() => this.#begin());
    }
    this.#given += 1;
    return true;
  }

  #hasMore(now: number): boolean {
    return this.#given < this.#bounds.turns && now - this.#roundAt < this.#bounds.ms;
  }

  /** A round. The microtasks of each turn have run before the next is given: each is a callback of its own. */
  #begin(): void {
    const now = this.#settle();
    this.#given = 0;
    this.#roundAt = now;
    const { size } = this.#waiting;
    if (size === 0) return;
    this.#scheduler.immediate(() => this.#begin());
    for (let more = Math.min(size, this.#bounds.turns); more > 1; more -= 1) {
      this.#scheduler.immediate(() => this.#goOn());
    }
    this.#give(now);
  }

  #goOn(): void {
    const now = this.#settle();
    if (this.#hasMore(now)) this.#give(now);
  }

  #give(now: number): void {
    const next = this.#waiting.take();
    if (next === undefined) return;
    this.#given += 1;
    this.#since = now;
    this.#charge = next.charge;
    next.item();
  }

  /** The turn before is over. */
  #settle(): number {
    const now = this.#now();
    this.#charge?.(Math.max(TURN_MS_MIN, now - this.#since));
    this.#charge = undefined;
    return now;
  }
}
