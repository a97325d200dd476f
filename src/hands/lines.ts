/** Cuts a byte stream into lines; a line longer than `bytesMax` ends it, since the other side speaks something else. */
const NEWLINE = 0x0a;

export class Lines {
  readonly #bytesMax: number;
  readonly #onLine: (line: string) => void;
  #parts: Buffer[] = [];
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
      this.#bytes += part.length;
      if (this.#bytes > this.#bytesMax) return false;
      this.#parts.push(part);
      if (end === -1) return true;
      const line = Buffer.concat(this.#parts).toString();
      this.#parts = [];
      this.#bytes = 0;
      from = end + 1;
      if (line !== '') this.#onLine(line);
    }
  }
}
