/**
 * How long the process of the watcher could not look at all: starved of the processor, or held by the disk. What it did not look at it must
 * not blame the server for, whatever the attack is.
 */
/** Looks at itself so often. */
const EVERY_MS = 5;
/** Stalls that are looked back upon: those of some seconds of a machine that does little else. */
const KEPT_MAX = 500;

interface Stall {
  readonly from: number;
  readonly to: number;
}

export class OwnLag {
  readonly #now: () => number;
  readonly #stalls: Stall[] = [];
  #last: number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#last = now();
  }

  start(): () => void {
    const timer = setInterval(() => this.look(), EVERY_MS);
    return () => clearInterval(timer);
  }

  look(): void {
    const now = this.#now();
    if (now - this.#last > 2 * EVERY_MS) this.#stalls.push({ from: this.#last, to: now });
    if (this.#stalls.length > KEPT_MAX) this.#stalls.shift();
    this.#last = now;
  }

  /** Milliseconds of this time in which it could not look, those until now included. */
  within({ from, to }: Stall): number {
    this.look();
    return this.#stalls.reduce(
      (sum, stall) => sum + Math.max(0, Math.min(to, stall.to) - Math.max(from, stall.from)),
      0,
    );
  }
}
