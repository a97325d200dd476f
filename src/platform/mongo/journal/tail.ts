/**
 * The newest pages of one session, as they lie in its document: they are read with it, written with it, and stored as pages of
 * their own when there are many.
 *
 * PAGE-1 Only what is known to lie in `page` is let go of. What is stored twice is the same, since a page never changes.
 */
import type { SessionId } from '../../../kernel/id.ts';
import type { OlderKeys } from './older-keys.ts';
import type { PageCollection } from './page-collection.ts';
import { keyIdOf, loggedOf, type Page, type SessionDocument, type StoredKey } from './session-document.ts';

/**
 * Pages and bytes that a document carries before they are stored: fewer, and every append costs a second write; more, and each
 * append writes and each reader loads a larger document.
 */
const PAGES_MAX = 16;
const BYTES_MAX = 32 * 1024;
/** With what an append brings, far below the 16 MB of a document: an append that would pass it waits until pages are stored. */
const BYTES_HELD_MAX = 2 * 1024 * 1024;
/** About what an event takes beside its body. */
const EVENT_BYTES = 200;

interface Held {
  readonly page: Page;
  readonly bytes: number;
  /** It lies in `page` too. */
  isStored: boolean;
}

export class Tail {
  readonly #sessionId: SessionId;
  readonly #older: OlderKeys;
  #held: readonly Held[];
  /** Up to this seq the log is in `page`. */
  #logged: number;
  #storing: Promise<void> | undefined;

  constructor(document: Pick<SessionDocument, '_id' | 'tail' | 'head'>, older: OlderKeys) {
    this.#sessionId = document._id;
    this.#older = older;
    this.#held = document.tail.map((page) => ({ page, bytes: bytesOf(page), isStored: false }));
    this.#logged = loggedOf(document);
  }

  /** Pages that must stay in the document. */
  get keep(): number {
    return this.#unstored().length;
  }

  get isStoring(): boolean {
    return this.#storing !== undefined;
  }

  /** Resolves when nothing is being stored. */
  async stored(): Promise<void> {
    await this.#storing?.catch(() => undefined);
  }

  get isLong(): boolean {
    const unstored = this.#unstored();
    return unstored.length > PAGES_MAX || sum(unstored) > BYTES_MAX;
  }

  /** The page has been written into the document. */
  add(page: Page): void {
    for (const held of this.#held) if (held.isStored) this.#older.add(held.page);
    this.#held = [...this.#unstored(), { page, bytes: bytesOf(page), isStored: false }]; // PAGE-1
    this.#logged = (this.#held[0]?.page.firstSeq ?? page.firstSeq) - 1;
  }

  /** JOURNAL-5: which of these keys were used in the session, by their ids, and by which append. */
  async usedKeys(keys: readonly string[]): Promise<Map<string, StoredKey>> {
    const used = new Map(this.#held.flatMap(({ page }) => (page.keys ?? []).map((key) => [key.id, key])));
    const others = keys.map((key) => keyIdOf(this.#sessionId, key)).filter((id) => !used.has(id));
    for (const key of await this.#older.find(others, this.#logged)) used.set(key.id, key);
    return used;
  }

  /** Stores what is not stored yet; once at a time. */
  store(pages: PageCollection): Promise<void> {
    this.#storing ??= this.#store(pages).finally(() => {
      this.#storing = undefined;
    });
    return this.#storing;
  }

  /** Until the document with `page` in it is small enough. */
  async makeRoom(page: Page, pages: PageCollection): Promise<void> {
    const more = bytesOf(page);
    while (this.keep > 0 && sum(this.#unstored()) + more > BYTES_HELD_MAX) await this.store(pages);
  }

  #unstored(): readonly Held[] {
    return this.#held.filter(({ isStored }) => !isStored);
  }

  async #store(pages: PageCollection): Promise<void> {
    const unstored = this.#unstored();
    await pages.store(this.#sessionId, unstored);
    for (const held of unstored) held.isStored = true;
  }
}

/** About what a page takes in a document. */
export function bytesOf({ events }: Page): number {
  return events.reduce((total, { body }) => total + Buffer.byteLength(body) + EVENT_BYTES, 0);
}

function sum(held: readonly Held[]): number {
  return held.reduce((total, { bytes }) => total + bytes, 0);
}
