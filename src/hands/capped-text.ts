/**
 * Output that may be endless, kept as head and tail: the beginning says what was done, the end how it went.
 * Holds `bytesMax` bytes from the start and never more, however small the chunks are: each is copied, none is kept. Its
 * text is at most `bytesMax` bytes of UTF-8, well-formed, and shows bytes that are no text as far as they can be shown.
 */
import { wholeEnd, wholeStart } from './characters.ts';
import { remarkOn, visibleText } from './visible-text.ts';

const NOTE_BYTES = 100;

export class CappedText {
  readonly #bytesMax: number;
  readonly #head: Buffer;
  #headBytes = 0;
  /** A ring: its oldest byte is at `#tailStart`. */
  readonly #tail: Buffer;
  #tailStart = 0;
  #tailBytes = 0;
  #total = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    const part = Math.floor((bytesMax - NOTE_BYTES) / 2);
    this.#head = Buffer.alloc(part);
    this.#tail = Buffer.alloc(part);
  }

  add(chunk: Buffer): void {
    this.#total += chunk.length;
    const copied = chunk.copy(this.#head, this.#headBytes);
    this.#headBytes += copied;
    if (copied < chunk.length) this.#addTail(chunk.subarray(copied));
  }

  /** What was added, the middle cut when it was too long; then a line that says which bytes are not shown as they are. */
  text(): string {
    const head = this.#head.subarray(0, this.#headBytes);
    const tail = this.#tailInOrder();
    const cut = this.#total - head.length - tail.length;
    if (cut === 0) return this.#shown([Buffer.concat([head, tail])], '');
    const [whole, rest] = [head.subarray(0, wholeEnd(head)), tail.subarray(wholeStart(tail))];
    return this.#shown([whole, rest], noteOf(this.#total - whole.length - rest.length));
  }

  #shown(parts: readonly Buffer[], note: string): string {
    const shown = parts.map(visibleText);
    const text = shown.map((part) => part.text).join(note);
    const sum = (of: 'badBytes' | 'zeroBytes'): number => shown.reduce((all, part) => all + part[of], 0);
    const remark = remarkOn({ badBytes: sum('badBytes'), zeroBytes: sum('zeroBytes') });
    const ending = remark === '' || text.endsWith('\n') ? remark : `\n${remark}`;
    return capText(text, this.#bytesMax - Buffer.byteLength(ending)) + ending; // what is replaced grows
  }

  #addTail(chunk: Buffer): void {
    const max = this.#tail.length;
    const kept = chunk.subarray(-max);
    const at = (this.#tailStart + this.#tailBytes) % max;
    const copied = kept.copy(this.#tail, at);
    kept.copy(this.#tail, 0, copied); // around the end of the ring
    const over = Math.max(0, this.#tailBytes + kept.length - max);
    this.#tailStart = (this.#tailStart + over) % max;
    this.#tailBytes += kept.length - over;
  }

  #tailInOrder(): Buffer {
    const end = this.#tail.subarray(this.#tailStart, this.#tailStart + this.#tailBytes);
    return Buffer.concat([end, this.#tail.subarray(0, this.#tailBytes - end.length)]);
  }
}

/**
 * The text itself when it fits, else its head and tail with a line between that says how much was cut. Half of a surrogate
 * pair, which no text of UTF-8 has, becomes U+FFFD; characters torn by the cut are left out.
 */
export function capText(text: string, bytesMax: number): string {
  if (text.length <= bytesMax && Buffer.byteLength(text) <= bytesMax) return text.toWellFormed();
  const bytes = Buffer.from(text);
  const part = Math.max(0, Math.floor((bytesMax - NOTE_BYTES) / 2));
  const [head, tail] = [bytes.subarray(0, part), bytes.subarray(bytes.length - part)];
  const [whole, rest] = [head.subarray(0, wholeEnd(head)), tail.subarray(wholeStart(tail))];
  return `${whole.toString()}${noteOf(bytes.length - whole.length - rest.length)}${rest.toString()}`;
}

function noteOf(bytesCut: number): string {
  return `\n[... ${bytesCut} bytes cut ...]\n`;
}
