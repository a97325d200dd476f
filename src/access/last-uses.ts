/**
 * When API keys were last used, for people who want to know which ones they can revoke. Written beside the requests, many at once.
 *
 * KEY-5 The use of a key is written at most once a minute, and no request waits for it or fails with it.
 */
import type { Clock } from '../kernel/clock.ts';
import type { ApiKeyId } from '../kernel/id.ts';
import type { Service } from '../kernel/service.ts';
import type { ApiKey, KeyStore } from './key-store.ts';

/** Nobody needs to know it closer, and a key that asks a thousand times a second is written once. */
const WRITTEN_EVERY_MS = 60_000;
/** From a first use to its writing: those of other keys go along. */
const GATHER_MS = 1_000;
/** Keys that wait to be written, and those written in the last minute: more than a server has in a minute; the use of more is written later. */
const KEYS_MAX = 10_000;

export class LastUses implements Service {
  readonly name = 'last uses of keys';
  readonly #keys: Pick<KeyStore, 'used'>;
  readonly #clock: Clock;
  #waiting = new Map<ApiKeyId, number>();
  /** When this server last wrote each: what a look-up says may be a moment old. */
  readonly #written = new Map<ApiKeyId, number>();

  constructor(ports: { readonly keys: Pick<KeyStore, 'used'>; readonly clock: Clock }) {
    this.#keys = ports.keys;
    this.#clock = ports.clock;
  }

  /** That it is used now; writes nothing by itself. */
  note({ id, lastUsedAt = Number.NEGATIVE_INFINITY }: Pick<ApiKey, 'id' | 'lastUsedAt'>): void {
    const now = this.#clock.now();
    const written = Math.max(lastUsedAt, this.#written.get(id) ?? Number.NEGATIVE_INFINITY);
    const isKnown = now - written < WRITTEN_EVERY_MS; // KEY-5
    if (!isKnown && (this.#waiting.size < KEYS_MAX || this.#waiting.has(id))) this.#waiting.set(id, now);
  }

  /** What cannot be written is let go: the next use of the key is written, in a minute. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(GATHER_MS, signal);
      await this.#write();
    }
  }

  async #write(): Promise<void> {
    if (this.#waiting.size === 0) return;
    const uses = [...this.#waiting].map(([id, at]) => ({ id, at }));
    this.#waiting = new Map();
    this.#forgetOld(this.#clock.now());
    for (const { id, at } of uses) this.#written.set(id, at);
    await this.#keys.used(uses);
  }

  #forgetOld(now: number): void {
    for (const [id, at] of this.#written) if (now - at >= WRITTEN_EVERY_MS) this.#written.delete(id);
    if (this.#written.size > KEYS_MAX) this.#written.clear();
  }
}
