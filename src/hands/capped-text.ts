/**
 * Output that may be endless, kept as head and tail: the beginning says what was done, the end how it went.
 * Holds `bytesMax` bytes from the start and never more, however small the chunks are: each is copied, none is kept. Its
 * text is at most `bytesMax` bytes of UTF-8.
 */
const NOTE_BYTES = 100;
/** Bytes that show that the rest is not text. */
const ZERO = 0;

export class CappedText {
  readonly #bytesMax: number;
  readonly #head: Buffer;
  #headBytes = 0;
  /** A ring: its oldest byte is at `#tailStart`. */
  readonly #tail: Buffer;
  #tailStart = 0;
  #tailBytes = 0;
  #total = 0;
  #binary = false;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    const part = Math.floor((bytesMax - NOTE_BYTES) / 2);
    this.#head = Buffer.alloc(part);
    this.#tail = Buffer.alloc(part);
  }

  add(chunk: Buffer): void {
    this.#total += chunk.length;
    if (chunk.includes(ZERO)) this.#binary = true;
    const copied = chunk.copy(this.#head, this.#headBytes);
    this.#headBytes += copied;
    if (copied < chunk.length) this.#addTail(chunk.subarray(copied));
  }

  /** What was added, the middle cut when it was too long; a sentence instead when it is not text. */
  text(): string {
    if (this.#binary)
      return `[binary output, ${this.#total} bytes, not shown: write it to a file, or pipe it through xxd]`;
    const head = this.#head.subarray(0, this.#headBytes);
    const tail = this.#tailInOrder();
    const cut = this.#total - head.length - tail.length;
    const text = cut === 0 ? Buffer.concat([head, tail]).toString() : join(head, tail, cut);
    return capText(text, this.#bytesMax); // bytes that are not UTF-8 grow when they are decoded
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
