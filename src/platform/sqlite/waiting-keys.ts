/**
 * The keys of appends that are not in the index yet (append-keys.ts), by their sessions: what is deleted with a session is found without
 * looking through those of all others, which may be thousands.
 */

/** The seqs of an append. */
export interface AppendPlace {
  readonly firstSeq: number;
  readonly lastSeq: number;
}

export class WaitingKeys {
  /** Sessions without any have no entry. */
  readonly #bySession = new Map<number, Map<string, AppendPlace>>();
  #size = 0;

  /** Of all sessions. */
  get size(): number {
    return this.#size;
  }

  get(session: number, key: string): AppendPlace | undefined {
    return this.#bySession.get(session)?.get(key);
  }

  set(session: number, key: string, place: AppendPlace): void {
    const keys = this.#bySession.get(session) ?? new Map<string, AppendPlace>();
    if (keys.size === 0) this.#bySession.set(session, keys);
    if (!keys.has(key)) this.#size += 1;
    keys.set(key, place);
  }

  delete(session: number, key: string): void {
    const keys = this.#bySession.get(session);
    if (keys?.delete(key) !== true) return;
    this.#size -= 1;
    if (keys.size === 0) this.#bySession.delete(session);
  }

  /** All of a session: as many as it has, and no others are looked at. */
  forget(session: number): void {
    this.#size -= this.#bySession.get(session)?.size ?? 0;
    this.#bySession.delete(session);
  }

  clear(): void {
    this.#bySession.clear();
    this.#size = 0;
  }

  /** By session and key, as the index has them. */
  *inOrder(): Generator<readonly [session: number, key: string, place: AppendPlace]> {
    for (const [session, keys] of [...this.#bySession].toSorted(([left], [right]) => left - right)) {
      const sorted = [...keys].toSorted(([left], [right]) => (left < right ? -1 : 1));
      for (const [key, place] of sorted) yield [session, key, place];
    }
  }
}
