/** What is held for readers, of one owner or of all (outgoing.ts): as it was counted last, and what came since. */

/** Of a share and of all, what only small reads may have: whoever asks for a page is not refused for what others' large bodies hold. */
const SMALL_SHARE = 0.125;
/** A read of so many bytes is a small one: a page of a conversation. */
const SMALL_BYTES_MAX = 256 * 1024;

export class HeldBytes {
  readonly bytesMax: number;
  /** What waited at the last look, and what was sent since. */
  waiting = 0;
  shared = 0;
  making = 0;
  /** When it was last counted and found full. */
  fullAt = Number.NEGATIVE_INFINITY;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** As far as is known without counting. */
  get sum(): number {
    return this.waiting + this.shared + this.making;
  }

  hasRoomFor(bytes: number): boolean {
    return this.sum + bytes <= this.#most(bytes);
  }

  /** Whoever is ended. */
  isInVain(bytes: number): boolean {
    return this.making + bytes > this.#most(bytes);
  }

  #most(bytes: number): number {
    return bytes <= SMALL_BYTES_MAX ? this.bytesMax : this.bytesMax * (1 - SMALL_SHARE); // OUTGOING-3
  }
}
