/** Connections that a kind keeps open. Bounded: the oldest is let go when there are too many. */
import { HELD_MAX } from './limit.ts';

export class Held {
  readonly #releases = new Set<() => void>();

  get count(): number {
    return this.#releases.size;
  }

  /** Answers what to call when it has ended by itself. */
  add(release: () => void): () => void {
    this.#releases.add(release);
    if (this.#releases.size > HELD_MAX) this.#releaseOldest();
    return () => this.#releases.delete(release);
  }

  releaseAll(): void {
    while (this.#releases.size > 0) this.#releaseOldest();
  }

  #releaseOldest(): void {
    const [oldest] = this.#releases;
    if (oldest === undefined) return;
    this.#releases.delete(oldest);
    oldest();
  }
}
