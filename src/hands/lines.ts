/**
 * Cuts a byte stream into lines, empty ones too; a line longer than `bytesMax` ends it, since the other side speaks something else.
 * A line that comes in pieces is copied together: what it holds is at most twice the line, however small the pieces are.
 */
const NEWLINE = 0x0a;
/** The start of a line that came in pieces is kept in this much, and in twice as much each time that it is full. */
const KEPT_BYTES_MIN = 4_096;
const NOTHING = Buffer.alloc(0);

export class Lines {
  readonly #bytesMax: number;
  readonly #onLine: (line: string) => void;
  #kept: Buffer = NOTHING;
  #bytes = 0;

  constructor(bytesMax: number, onLine: (line: string) => void) {
    this.#bytesMax = bytesMax;
    this.#onLine = onLine;
  }

  /** False when the line is too long: nothing after it can be understood. */
  add(chunk: Buffer): boolean {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, from);
      const part = chunk.subarray(from, end === -1 ? undefined : end);
      if (this.#bytes + part.length > this.#bytesMax) return false;
      if (end === -1) {
        this.#keep(part);
        return true;
      }
      from = end + 1;
      this.#onLine(this.#lineWith(part));
    }
  }

  #lineWith(last: Buffer): string {
    if (this.#bytes === 0) return last.toString();
    this.#keep(last);
    const line = this.#kept.toString('utf8', 0, this.#bytes);
    this.#kept = NOTHING;
    this.#bytes = 0;
    return line;
  }

  #keep(part: Buffer): void {
    const bytes = this.#bytes + part.length;
    if (bytes > this.#kept.length) {
      const larger = Buffer.alloc(Math.max(KEPT_BYTES_MIN, this.#kept.length * 2, bytes));
      this.#kept.copy(larger, 0, 0, this.#bytes);
      this.#kept = larger;
    }
    part.copy(this.#kept, this.#bytes);
    this.#bytes = bytes;
  }
}
