/**
 * Bytes as a text that can be shown, whatever they are. What is UTF-8 stays as it is; a byte that is not becomes U+FFFD, a
 * control character the picture of itself (a zero byte is U+2400), and a stretch with hardly anything else a few words that say how
 * long it is. Nothing is dropped in silence: `remarkOn` says what was replaced.
 */
import { isUtf8 } from 'node:buffer';

export interface VisibleText {
  readonly text: string;
  /** Bytes that were not UTF-8. */
  readonly badBytes: number;
  readonly zeroBytes: number;
}

/** From so many bytes that are no text, with never as many as GAP between two of them, it is a stretch of binary data. */
const STRETCH_BYTES_MIN = 16;
const GAP_BYTES = 8;
/** Control characters that texts and terminals use: \a \b \t \n \v \f \r and escape. */
const IN_TEXTS = new Set([7, 8, 9, 10, 11, 12, 13, 27]);
const DELETE = 0x7f;
/** So many control characters, and so many for a hundred bytes, are more than a text has by accident; compressed data has ten. */
const CONTROLS_MIN = 8;
const CONTROLS_PERCENT = 5;
/** The pictures of the control characters in Unicode, in their order. */
const PICTURES = 0x2400;
const PICTURE_OF_DELETE = '\u2421';
const UNKNOWN = '\ufffd';

export function visibleText(bytes: Buffer): VisibleText {
  if (isUtf8(bytes) && !bytes.some(isControl)) return { text: bytes.toString(), badBytes: 0, zeroBytes: 0 };
  const shown = new Shown();
  for (let at = 0; at < bytes.length; ) {
    const length = lengthOfCharacter(bytes, at);
    const byte = bytes[at] ?? 0;
    if (length === 0) shown.add(UNKNOWN, 1, 'bad');
    else if (length > 1) shown.add(bytes.toString('utf8', at, at + length), length, 'text');
    else if (byte === DELETE) shown.add(PICTURE_OF_DELETE, 1, 'control');
    else if (isControl(byte))
      shown.add(String.fromCharCode(PICTURES + byte), 1, byte === 0 ? 'zero' : 'control');
    else shown.add(String.fromCharCode(byte), 1, 'text');
    at += Math.max(1, length);
  }
  return shown.end();
}

/** What a reader of the text must know of it; empty when it is what the bytes are. */
export function remarkOn({ badBytes, zeroBytes }: Omit<VisibleText, 'text'>): string {
  const bad = badBytes === 0 ? [] : [`${sayHowMany(badBytes)} not UTF-8, shown as ${UNKNOWN}`];
  const zero = zeroBytes === 0 ? [] : [`${sayHowMany(zeroBytes)} zero, shown as \u2400`];
  return bad.length + zero.length === 0 ? '' : `[${[...bad, ...zero].join('; ')}]`;
}

/**
 * Whether the beginning of a file is that of no text: many control characters. Long runs of zero bytes do not count, they are
 * holes, as in a log that was emptied while a program wrote it; nor do bytes that are not UTF-8, as texts of other encodings have.
 */
export function isBinary(sample: Buffer): boolean {
  let [counted, controls, zeros] = [0, 0, 0];
  const endZeros = (): void => {
    if (zeros >= STRETCH_BYTES_MIN) return;
    counted += zeros;
    controls += zeros;
  };
  for (const byte of sample) {
    if (byte === 0) {
      zeros += 1;
      continue;
    }
    endZeros();
    zeros = 0;
    counted += 1;
    if (isControl(byte)) controls += 1;
  }
  endZeros();
  return controls >= CONTROLS_MIN && controls * 100 > counted * CONTROLS_PERCENT;
}

function isControl(byte: number): boolean {
  return byte === DELETE || (byte < 0x20 && !IN_TEXTS.has(byte));
}

function sayHowMany(bytes: number): string {
  return bytes === 1 ? '1 byte was' : `${bytes} bytes were`;
}

class Shown {
  #text = '';
  #badBytes = 0;
  #zeroBytes = 0;
  // What may become a stretch: from its first byte that is no text to the last one.
  #stretch = '';
  #stretchBytes = 0;
  #stretchOdd = 0;
  #stretchBad = 0;
  #stretchZero = 0;
  /** Text behind it: in it if more of it comes. */
  #gap = '';
  #gapBytes = 0;

  add(character: string, bytes: number, kind: 'text' | 'control' | 'zero' | 'bad'): void {
    if (kind === 'text') {
      if (this.#stretchBytes === 0) this.#text += character;
      else this.#addGap(character, bytes);
      return;
    }
    this.#stretch += this.#gap + character;
    this.#stretchBytes += this.#gapBytes + bytes;
    this.#stretchOdd += bytes;
    if (kind === 'bad') this.#stretchBad += bytes;
    if (kind === 'zero') this.#stretchZero += bytes;
    this.#gap = '';
    this.#gapBytes = 0;
  }

  end(): VisibleText {
    this.#endStretch();
    return { text: this.#text, badBytes: this.#badBytes, zeroBytes: this.#zeroBytes };
  }

  #addGap(character: string, bytes: number): void {
    this.#gap += character;
    this.#gapBytes += bytes;
    if (this.#gapBytes >= GAP_BYTES) this.#endStretch();
  }

  #endStretch(): void {
    if (this.#stretchOdd >= STRETCH_BYTES_MIN) {
      const what = this.#stretchZero === this.#stretchBytes ? 'zero bytes' : 'bytes of binary data';
      this.#text += `[${this.#stretchBytes} ${what}]`;
    } else {
      this.#text += this.#stretch;
      this.#badBytes += this.#stretchBad;
      this.#zeroBytes += this.#stretchZero;
    }
    this.#text += this.#gap;
    this.#stretch = this.#gap = '';
    this.#stretchBytes = this.#stretchOdd = this.#stretchBad = this.#stretchZero = this.#gapBytes = 0;
  }
}

/** Bytes of the character that begins at `at`; 0 when none does (the Unicode Standard, table 3-7). */
function lengthOfCharacter(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + length > bytes.length) return 0;
  return isUtf8(bytes.subarray(at, at + length)) ? length : 0;
}
