/**
 * Which append keys (JOURNAL-5) the pages used that are no longer in a session's document. Pages never change, so what is known
 * of them stays true, whatever other writers do.
 *
 * The keys of a short log are kept in mind, so that its appends need no look-up; those of a long one are looked up.
 */
import type { SessionId } from '../../../kernel/id.ts';
import type { PageCollection } from './page-collection.ts';
import type { Page, StoredKey } from './session-document.ts';

/** Events up to which a log is short: at most as many keys of some hundred bytes, for each session that is written to. */
const SHORT_EVENTS_MAX = 1_000;

export class OlderKeys {
  readonly #sessionId: SessionId;
  readonly #pages: PageCollection;
  readonly #keys = new Map<string, StoredKey>();
  /** Every key of the pages up to this seq is in `#keys`. */
  #upTo = 0;
  /** Keys of a long log that were looked for, and up to which seq they were not there: a writer that is late asks again. */
  readonly #missing = new Map<string, number>();

  constructor(sessionId: SessionId, pages: PageCollection) {
    this.#sessionId = sessionId;
    this.#pages = pages;
  }

  /** A page that has just left the document. */
  add({ firstSeq, events, keys = [] }: Page): void {
    if (firstSeq !== this.#upTo + 1) return; // pages before it have not been read
    for (const key of keys) this.#keys.set(key.id, key);
    this.#upTo += events.length;
    if (this.#upTo > SHORT_EVENTS_MAX) this.#keys.clear();
  }

  /** Those of `ids` that pages up to `logged` have used. */
  async find(ids: readonly string[], logged: number): Promise<readonly StoredKey[]> {
    if (logged === 0 || ids.length === 0) return [];
    if (logged > SHORT_EVENTS_MAX) return this.#lookUp(ids, logged);
    if (logged > this.#upTo) {
      const found = await this.#pages.keysBetween(this.#sessionId, this.#upTo, logged);
      for (const key of found) this.#keys.set(key.id, key);
      this.#upTo = Math.max(this.#upTo, logged);
    }
    return ids.flatMap((id) => this.#keys.get(id) ?? []);
  }

  async #lookUp(ids: readonly string[], logged: number): Promise<readonly StoredKey[]> {
    if (this.#missing.size > SHORT_EVENTS_MAX) this.#missing.clear();
    const open = ids.filter((id) => this.#missing.get(id) !== logged);
    const found = await Promise.all(open.map((id) => this.#pages.key(id)));
    for (const [index, id] of open.entries()) if (found[index] === undefined) this.#missing.set(id, logged);
    return found.flatMap((key) => key ?? []);
  }
}
