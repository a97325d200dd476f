/**
 * What a store said a moment ago, for those who are asked about the same thing with every request: at most so old that whatever is revoked
 * is known everywhere within a second.
 *
 * TOKEN-6 A revocation of client tokens, or of the key that made them, holds on every server REMEMBERED_MS_MAX after it is stored, and here at
 *    once where it was made here: what is remembered was asked for no longer ago. What is asked for together is one look-up, and a
 *    thousand requests of one session are a few in a second.
 */
import { must } from '../kernel/assert.ts';
import type { Clock } from '../kernel/clock.ts';

/** A request may be answered by what was so a quarter of a second ago; what is open is looked up anew (bearer-watch.ts). */
export const REMEMBERED_MS_MAX = 250;
/** Things that are remembered at once, some hundred bytes each; beyond it the oldest is asked for again. */
const REMEMBERED_MAX = 10_000;

/** How old an answer may be: of this moment, or as brief as what is remembered. */
export type AskedWhen = 'now' | 'brief';

interface Remembered<Value> {
  readonly askedAt: number;
  readonly value: Promise<Value>;
}

export class BriefMemory<Key, Value> {
  readonly #clock: Pick<Clock, 'monotonicNow'>;
  readonly #ask: (keys: readonly Key[]) => Promise<readonly Value[]>;
  /** The oldest first. */
  readonly #remembered = new Map<Key, Remembered<Value>>();

  /** `ask` answers one value for each key, in that order. */
  constructor(clock: Pick<Clock, 'monotonicNow'>, ask: (keys: readonly Key[]) => Promise<readonly Value[]>) {
    this.#clock = clock;
    this.#ask = ask;
  }

  /** `when` 'now': the store is asked now, whatever is remembered; and that is remembered for the others. */
  async of(keys: readonly Key[], when: AskedWhen = 'brief'): Promise<ReadonlyMap<Key, Value>> {
    const now = this.#clock.monotonicNow();
    for (const [key, { askedAt }] of this.#remembered) {
      if (now - askedAt < REMEMBERED_MS_MAX && this.#remembered.size < REMEMBERED_MAX) break;
      this.#remembered.delete(key); // TOKEN-6
    }
    const all = [...new Set(keys)];
    const unknown = when === 'now' ? all : all.filter((key) => !this.#remembered.has(key));
    if (unknown.length > 0) this.#look(unknown, now);
    const values = all.map((key) => must(this.#remembered.get(key), 'it was asked for').value);
    const known = await Promise.all(values);
    return new Map(all.map((key, at) => [key, known[at] as Value])); // as: one for each
  }

  /** It has changed. */
  forget(key: Key): void {
    this.#remembered.delete(key);
  }

  #look(keys: readonly Key[], askedAt: number): void {
    const answer = this.#ask(keys);
    for (const [at, key] of keys.entries()) {
      const value = answer.then((values) => values[at] as Value); // as: one for each
      const remembered = { askedAt, value };
      this.#remembered.delete(key); // it is the newest again
      this.#remembered.set(key, remembered);
      value.catch(() => {
        // whoever waits is told; whoever comes next asks again
        if (this.#remembered.get(key) === remembered) this.#remembered.delete(key);
      });
    }
  }
}
