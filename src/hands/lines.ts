/**
 * Cuts a byte stream into lines, empty ones too; a line longer than `bytesMax` ends it, since the other side speaks something else.
 * A line that comes in pieces is copied together: what it holds is at most twice the line, however small the pieces are.
 */
import { GrowableBuffer } from '../kernel/growable-buffer.ts';

const NEWLINE = 0x0a;

export class Lines {
  readonly #bytesMax: number;
  readonly #onLine: (line: string) => void;
  readonly #kept = new GrowableBuffer();

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
      if (this.#kept.length + part.length > this.#bytesMax) return false;
      if (end === -1) {
        this.#kept.append(part);
        return true;
      }
      from = end + 1;
      this.#onLine(this.#lineWith(part));
    }
  }

  #lineWith(last: Buffer): string {
    if (this.#kept.length === 0) return last.toString();
    this.#kept.append(last);
    return this.#kept.take().toString();
  }
}
