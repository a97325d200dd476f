/** The parts of which a key's forms are made: of a text that has none of them, nothing need be looked at more closely. */

/** A text that ends with fewer characters of a form is not waited for: most of what is written ends with one or two of them. */
export const PART_CHARS = 4;

const CODE_BITS = 7;
const PACKED_MASK = 2 ** (CODE_BITS * PART_CHARS) - 1;
/** Some thousand parts fill a few hundredths of it, so that most questions end there. */
const SIEVE_BITS = 16;

export class KeyParts {
  readonly #parts = new Set<number>();
  readonly #sieve = new Uint8Array(2 ** SIEVE_BITS);

  /** All parts of this text. */
  add(text: string): void {
    for (let at = 0; at + PART_CHARS <= text.length; at += 1) {
      const part = packedAt(text, at);
      this.#parts.add(part);
      this.#sieve[sieved(part)] = 1;
    }
  }

  has(part: number): boolean {
    return this.#sieve[sieved(part)] === 1 && this.#parts.has(part);
  }
}

/** The last PART_CHARS characters, packed, this one being the last. */
export function packed(before: number, folded: number): number {
  return ((before << CODE_BITS) | folded) & PACKED_MASK;
}

export function packedAt(text: string, at: number): number {
  let part = 0;
  for (let next = at; next < at + PART_CHARS; next += 1)
    part = packed(part, foldedCode(text.charCodeAt(next)));
  return part;
}

/** Letters without their case; 0 for what stands in no key. */
export function foldedCode(code: number): number {
  if (code >= 0x80) return 0;
  return code >= 0x41 && code <= 0x5a ? code + 0x20 : code;
}

/** Knuth's multiplicative hash (The Art of Computer Programming 6.4). */
function sieved(part: number): number {
  return Math.imul(part, 0x9e3779b1) >>> (32 - SIEVE_BITS);
}
