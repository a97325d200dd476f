/** Work that is started one after the other and done a few at a time, as for many small files; the first failure ends it. */
export class ConcurrencyLimit {
  readonly #most: number;
  readonly #running = new Set<Promise<void>>();
  #failures: unknown[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  /** Resolves when there is room for more. Rejects with the failure of something that was started earlier. */
  async start(work: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#most) await Promise.race(this.#running);
    this.#throwFirst();
    const running: Promise<void> = work()
      .catch((error: unknown) => void this.#failures.push(error))
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Resolves when everything that was started is done. */
  async finish(): Promise<void> {
    await Promise.all(this.#running);
    this.#throwFirst();
  }

  #throwFirst(): void {
    if (this.#failures.length > 0) throw this.#failures[0];
  }
}
