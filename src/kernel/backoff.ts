/**
 * Exponential backoff with full jitter and a ceiling. It resets only after a run that held for `heldMs`, or a peer
 * that accepts and drops would be redialled at once for ever.
 */
export interface BackoffOptions {
  readonly firstMs: number;
  readonly ceilingMs: number;
  readonly heldMs: number;
  /** In [0, 1); a parameter so that tests choose. */
  readonly random?: (() => number) | undefined;
}

export class Backoff {
  readonly #options: BackoffOptions;
  #attempt = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** How many failures in a row. */
  get attempt(): number {
    return this.#attempt;
  }

  /** The wait after a run of `ranMs` that failed: between half the step and the whole step. */
  nextMs(ranMs: number): number {
    const { firstMs, ceilingMs, heldMs, random = Math.random } = this.#options;
    if (ranMs >= heldMs) this.#attempt = 0;
    const step = Math.min(ceilingMs, firstMs * 2 ** Math.min(this.#attempt, 30));
    this.#attempt += 1;
    return jittered(step, random);
  }

  reset(): void {
    this.#attempt = 0;
  }
}

/** Between half of `ms` and all of it: what waits for the same thing does not come back at the same time. */
export function jittered(ms: number, random: () => number): number {
  return Math.round(ms / 2 + (ms / 2) * random());
}
