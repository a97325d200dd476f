/**
 * Group commit and group read: what is asked while a request to the database is under way goes together in the next one. Alone
 * it goes at once; a thousand at a time cost a few round trips.
 *
 * Items keep their order within a batch; `run` answers one result per item, in that order. When it throws, all of its items do.
 */
export interface BatchOptions<Item, Result> {
  /** Items in one request. */
  readonly itemsMax: number;
  /** Requests under way; further items wait, and thereby gather. */
  readonly inFlightMax: number;
  /** A request ends with the item that passes this; unset: every item counts nothing. */
  readonly bytesMax?: number | undefined;
  readonly bytesOf?: ((item: Item) => number) | undefined;
  run(items: readonly Item[]): Promise<readonly Result[]>;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

export class Batch<Item, Result> {
  readonly #options: BatchOptions<Item, Result>;
  readonly #waiting: Waiting<Item, Result>[] = [];
  #inFlight = 0;
  #scheduled = false;

  constructor(options: BatchOptions<Item, Result>) {
    this.#options = options;
  }

  add(item: Item): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    this.#waiting.push({ item, resolve, reject });
    this.#schedule();
    return promise;
  }

  /** After what this turn of the event loop still adds. */
  #schedule(): void {
    if (this.#scheduled || this.#inFlight >= this.#options.inFlightMax) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      while (this.#waiting.length > 0 && this.#inFlight < this.#options.inFlightMax)
        void this.#send(this.#take());
    });
  }

  async #send(taken: readonly Waiting<Item, Result>[]): Promise<void> {
    this.#inFlight += 1;
    try {
      const results = await this.#options.run(taken.map(({ item }) => item));
      // `run` answers one result per item
      for (const [index, { resolve }] of taken.entries()) resolve(results[index] as Result);
    } catch (error) {
      for (const { reject } of taken) reject(error);
    } finally {
      this.#inFlight -= 1;
      if (this.#waiting.length > 0) this.#schedule();
    }
  }

  #take(): readonly Waiting<Item, Result>[] {
    const { itemsMax, bytesMax = Infinity, bytesOf = () => 0 } = this.#options;
    let bytes = 0;
    let count = 0;
    for (const { item } of this.#waiting) {
      if (count >= itemsMax || bytes >= bytesMax) break;
      bytes += bytesOf(item);
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }
}
