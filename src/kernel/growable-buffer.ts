/**
 * Bytes that come in pieces, copied together as they come: what is held is at most twice what has come, however small the pieces are.
 * A list of them holds a hundred times as much, since each piece is an object.
 */

/** The first bytes are kept in this much, and what follows in twice as much each time that it is full. */
const BYTES_MIN = 4_096;
const NOTHING = Buffer.alloc(0);

export class GrowableBuffer {
  #kept: Buffer = NOTHING;
  #bytes = 0;

  /** Bytes that have come. */
  get length(): number {
    return this.#bytes;
  }

  /** Bytes of memory that they are kept in. */
  get capacity(): number {
    return this.#kept.length;
  }

  append(part: Buffer): void {
    const bytes = this.#bytes + part.length;
    if (bytes > this.#kept.length) {
      const larger = Buffer.alloc(Math.max(BYTES_MIN, this.#kept.length * 2, bytes));
      this.#kept.copy(larger, 0, 0, this.#bytes);
      this.#kept = larger;
    }
    part.copy(this.#kept, this.#bytes);
    this.#bytes = bytes;
  }

  /** What has come; from here on it is empty. */
  take(): Buffer {
    const bytes = this.#kept.subarray(0, this.#bytes);
    this.#kept = NOTHING;
    this.#bytes = 0;
    return bytes;
  }
}
