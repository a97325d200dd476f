/**
 * The newest pages of one session, as they lie in its document: they are read with it, written with it, and stored as pages of
 * their own when there are many.
 *
 * T1 Only what is known to lie in `page` is let go of. What is stored twice is the same, since a page never changes.
 */
import type { SessionId } from '../../kernel/id.ts';
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
  #held: readonly Held[];
  /** Up to this seq the log is in `page`. */
  #logged: number;
  #storing: Promise<void> | undefined;

  constructor(document: Pick<SessionDocument, '_id' | 'tail' | 'head'>) {
    this.#sessionId = document._id;
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
    this.#held = [...this.#unstored(), { page, bytes: bytesOf(page), isStored: false }]; // T1
    this.#logged = (this.#held[0]?.page.firstSeq ?? page.firstSeq) - 1;
  }

  /**
   * J5: which of these keys were used in the session, by their ids, and by which append. `unused` remembers up to which seq a key
   * was looked for among the pages, which never change, so that nobody has to look there again.
   */
  async usedKeys(
    keys: readonly string[],
    pages: PageCollection,
    unused: Map<string, number>,
  ): Promise<Map<string, StoredKey>> {
    const used = new Map<string, StoredKey>();
    for (const { page } of this.#held) for (const key of page.keys ?? []) used.set(key.id, key);
    if (this.#logged === 0) return used;
    const logged = this.#logged;
    const isOpen = (id: string): boolean => !used.has(id) && unused.get(id) !== logged;
    const others = keys.map((key) => keyIdOf(this.#sessionId, key)).filter(isOpen);
    await Promise.all(
      others.map(async (id) => {
        const found = await pages.key(id);
        if (found === undefined) unused.set(id, logged);
        else used.set(id, found);
      }),
    );
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
  return events.reduce((total, { body }) => total + body.length + EVENT_BYTES, 0);
}

function sum(held: readonly Held[]): number {
  return held.reduce((total, { bytes }) => total + bytes, 0);
}
