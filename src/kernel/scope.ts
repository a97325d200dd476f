/**
 * Acquire, then push the release. `close` releases in reverse order, goes on when one fails, and throws the first
 * error at the end. Shutting down is thereby the reverse of starting, by construction.
 */
export type Release = () => void | Promise<void>;

export class Scope {
  readonly #releases: { name: string; release: Release }[] = [];
  #closing: Promise<void> | undefined;

  /** Registers a release; returns the resource so that acquiring stays one line. */
  add<T>(name: string, resource: T, release: (resource: T) => void | Promise<void>): T {
    this.#releases.push({ name, release: () => release(resource) });
    return resource;
  }

  close(): Promise<void> {
    this.#closing ??= this.#run();
    return this.#closing;
  }

  async #run(): Promise<void> {
    let failed = false;
    let first: unknown;
    for (const { name, release } of this.#releases.toReversed()) {
      try {
        await release();
      } catch (error) {
        if (!failed) first = new Error(`Releasing ${name} failed.`, { cause: error });
        failed = true;
      }
    }
    if (failed) throw first;
  }
}
