/**
 * Output that may be endless, kept as head and tail: the beginning says what was done, the end how it went.
 * Never holds more than `bytesMax` bytes and one chunk, and its text is at most `bytesMax` bytes of UTF-8.
 */
const NOTE_BYTES = 100;
/** Bytes that show that the rest is not text. */
const ZERO = 0;

export class CappedText {
  readonly #headMax: number;
  readonly #tailMax: number;
  readonly #bytesMax: number;
  #head: Buffer[] = [];
  #headBytes = 0;
  #tail: Buffer[] = [];
  #tailBytes = 0;
  #total = 0;
  #binary = false;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#headMax = Math.floor((bytesMax - NOTE_BYTES) / 2);
    this.#tailMax = this.#headMax;
  }

  add(chunk: Buffer): void {
    this.#total += chunk.length;
    if (chunk.includes(ZERO)) this.#binary = true;
    const room = this.#headMax - this.#headBytes;
    const head = chunk.subarray(0, room);
    if (head.length > 0) this.#head.push(Buffer.from(head));
    this.#headBytes += head.length;
    this.#addTail(chunk.subarray(head.length));
  }

  /** What was added, the middle cut when it was too long; a sentence instead when it is not text. */
  text(): string {
    if (this.#binary)
      return `[binary output, ${this.#total} bytes, not shown: write it to a file, or pipe it through xxd]`;
    const head = Buffer.concat(this.#head);
    const tail = Buffer.concat(this.#tail);
    const cut = this.#total - head.length - tail.length;
    const text = cut === 0 ? Buffer.concat([head, tail]).toString() : join(head, tail, cut);
    return capText(text, this.#bytesMax); // bytes that are not UTF-8 grow when they are decoded
  }

  #addTail(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#tail.push(Buffer.from(chunk));
    this.#tailBytes += chunk.length;
    while (this.#tailBytes > this.#tailMax) {
      const first = this.#tail[0];
      if (first === undefined) return;
      const over = this.#tailBytes - this.#tailMax;
      if (over >= first.length) this.#tail.shift();
      else this.#tail[0] = first.subarray(over);
      this.#tailBytes -= Math.min(over, first.length);
    }
  }
}

/** The text itself when it fits, else its head and tail with a line between that says how much was cut. */
export function capText(text: string, bytesMax: number): string {
  if (Buffer.byteLength(text) <= bytesMax) return text;
  const bytes = Buffer.from(text);
  const part = Math.floor((bytesMax - NOTE_BYTES) / 2);
  return join(bytes.subarray(0, part), bytes.subarray(-part), bytes.length - 2 * part);
}

/** Characters torn by the cut are left out: what remains is UTF-8 again when both parts were. */
function join(head: Buffer, tail: Buffer, cut: number): string {
  const whole = head.subarray(0, endOfLastCharacter(head));
  const rest = tail.subarray(startOfFirstCharacter(tail));
  const lost = cut + head.length - whole.length + tail.length - rest.length;
  return `${whole.toString()}\n[... ${lost} bytes cut ...]\n${rest.toString()}`;
}

function endOfLastCharacter(bytes: Buffer): number {
  for (let back = 1; back <= 4 && back <= bytes.length; back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (isContinuation(byte)) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

function startOfFirstCharacter(bytes: Buffer): number {
  let start = 0;
  while (start < 3 && start < bytes.length && isContinuation(bytes[start] ?? 0)) start += 1;
  return start;
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}
