/**
 * A Bloom filter over the keys of appends: nearly every append brings a key that is new, and what is surely new needs no look into
 * the index, which costs a third of the append.
 *
 * KEYS-2 A key that was added is never called new. Of sessions that are older than the filter it knows nothing, so it says
 *    "perhaps"; when it is full it begins anew, and the sessions of by then are older.
 */

/** One megabyte of bits. */
const BITS = 2 ** 23;
const WORD_BITS = 32;
/** Bits of one key. */
const HASHES = 4;
/** Past this many keys more than one new key in fifty is looked for in vain. */
const KEYS_MAX = 1_000_000;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
/** Of the finaliser of MurmurHash3. */
const STEP_FACTOR = 0x85ebca6b;

export class KeyFilter {
  readonly #words = new Uint32Array(BITS / WORD_BITS);
  /** Sessions up to this number are older than the filter. */
  #oldestSessions: number;
  #youngest: number;
  #count = 0;

  /** `session`: the highest number of a session that may have keys already. */
  constructor(session: number) {
    this.#oldestSessions = session;
    this.#youngest = session;
  }

  add(session: number, key: string): void {
    this.#youngest = Math.max(this.#youngest, session);
    if (this.#count >= KEYS_MAX) {
      this.#words.fill(0);
      this.#count = 0;
      this.#oldestSessions = this.#youngest; // KEYS-2
    }
    this.#count += 1;
    let bit = hashOf(key, session);
    const step = stepOf(bit);
    for (let hash = 0; hash < HASHES; hash += 1) {
      const at = (bit >>> 0) % BITS;
      this.#words[at >>> 5] = (this.#words[at >>> 5] ?? 0) | (1 << (at % WORD_BITS));
      bit = (bit + step) | 0;
    }
  }

  /** False: no append of the session had this key. */
  mayHold(session: number, key: string): boolean {
    if (session <= this.#oldestSessions) return true; // KEYS-2
    let bit = hashOf(key, session);
    const step = stepOf(bit);
    for (let hash = 0; hash < HASHES; hash += 1) {
      const at = (bit >>> 0) % BITS;
      if (((this.#words[at >>> 5] ?? 0) & (1 << (at % WORD_BITS))) === 0) return false;
      bit = (bit + step) | 0;
    }
    return true;
  }
}

/** FNV-1a over the session and the UTF-16 units of the key. */
function hashOf(text: string, session: number): number {
  let hash = Math.imul(FNV_OFFSET ^ session, FNV_PRIME);
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), FNV_PRIME);
  return hash;
}

/** Double hashing (Kirsch and Mitzenmacher 2006): the bits of a key lie an odd step apart, which its hash gives too. */
function stepOf(hash: number): number {
  return Math.imul(hash ^ (hash >>> 15), STEP_FACTOR) | 1;
}
