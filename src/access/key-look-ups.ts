/**
 * Looking API keys up while somebody sends keys that nobody has, thousands a second. Each is looked up, since a key that another server has just made
 * must open this one; but keys that were found before do not wait behind those that were not.
 *
 * WRONG-1 Of hashes that were not found before, UNKNOWN_MAX are looked up at once, whatever comes; one that was found goes to the store at once.
 * WRONG-2 A wrong key leaves nothing behind: what waits is as much as there are requests, which the doors bound, and what is
 *    remembered are hashes that were found, KNOWN_MAX of them. It opens nothing to be remembered: each is looked up again (ACCESS-1).
 * WRONG-3 The same hash that waits or is being looked up is looked up once for all who send it.
 */
import { Semaphore } from '../kernel/semaphore.ts';
import type { ApiKey, KeyStore } from './key-store.ts';

/** Unknown hashes at once: what the store of many servers reads in one request, a quarter of what it has under way. */
const UNKNOWN_MAX = 200;
/** Hashes that were found: the keys that are in use at one server. Some 150 bytes each. */
const KNOWN_MAX = 4_096;

export class KeyLookUps {
  readonly #keys: Pick<KeyStore, 'byHash'>;
  /** Those used last are last. */
  readonly #found = new Set<string>();
  readonly #unknown = new Semaphore(UNKNOWN_MAX);
  readonly #underWay = new Map<string, Promise<ApiKey | undefined>>();

  constructor(keys: Pick<KeyStore, 'byHash'>) {
    this.#keys = keys;
  }

  async byHash(hash: string): Promise<ApiKey | undefined> {
    if (this.#found.has(hash)) return this.#read(hash); // WRONG-1
    const underWay = this.#underWay.get(hash);
    if (underWay !== undefined) return underWay; // WRONG-3
    const looking = this.#inTurn(hash);
    this.#underWay.set(hash, looking);
    try {
      return await looking;
    } finally {
      this.#underWay.delete(hash); // WRONG-2
    }
  }

  async #inTurn(hash: string): Promise<ApiKey | undefined> {
    const release = await this.#unknown.acquire(NEVER);
    try {
      return await this.#read(hash);
    } finally {
      release?.();
    }
  }

  async #read(hash: string): Promise<ApiKey | undefined> {
    const key = await this.#keys.byHash(hash);
    this.#found.delete(hash);
    if (key === undefined) return undefined;
    const [oldest] = this.#found;
    if (this.#found.size >= KNOWN_MAX && oldest !== undefined) this.#found.delete(oldest); // WRONG-2
    this.#found.add(hash);
    return key;
  }
}

/** A look-up ends with the store's answer or its outage. */
const NEVER = new AbortController().signal;
