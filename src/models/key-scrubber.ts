/**
 * Takes a model key out of texts in which a service repeats it (gateway.ts GATEWAY-1): errors, headers, whole answers, and texts that come
 * in pieces.
 *
 * SCRUB-1 A text without the key comes back as it was.
 * SCRUB-2 Most of a key is as good as the key: what has been read of it counts from MATCH_PART on, also when the rest is missing.
 * SCRUB-3 Of pieces, only what may be the beginning of the key is held back: less than a key's length, until the next piece or the end.
 */
import type { Sealed } from '../kernel/sealed.ts';
import { isSecret } from '../secrets/secret-key.ts';

/** From this part of a key on it is replaced: services that shorten it show the beginning or the last four characters. */
const MATCH_PART = 3 / 4;

/** How the characters of a text are written: as they are, or as JSON may escape them. */
export type Spelling = 'plain' | 'json';

export class KeyScrubber {
  readonly #key: string;
  readonly #shown: string;
  readonly #back: readonly number[];
  readonly #enough: number;

  /** Undefined for a key that is no secret: such a word may well be meant when it is said. */
  static of(sealed: Sealed): KeyScrubber | undefined {
    return isSecret(sealed.open()) ? new KeyScrubber(sealed) : undefined;
  }

  private constructor(sealed: Sealed) {
    this.#key = sealed.open();
    this.#shown = String(sealed);
    this.#back = backOf(this.#key);
    this.#enough = Math.ceil(this.#key.length * MATCH_PART);
  }

  /** A text in pieces. */
  pieces(spelling: Spelling): Pieces {
    return new Pieces(spelling, this.#key, this.#back, this.#enough, this.#shown);
  }

  /** A whole text, whether it is JSON or not; the same one when the key is not in it (SCRUB-1). */
  text(text: string): string {
    if (!text.includes('\\') && !text.includes(this.#key.slice(0, this.#enough))) return text;
    const pieces = this.pieces('json');
    const clean = pieces.push(text) + pieces.end();
    return pieces.found ? clean : text;
  }

  /** The same buffer when the key is not in it. What is not text stays as it is: keys are ASCII. */
  bytes(bytes: Buffer): Buffer {
    const text = bytes.toString('latin1');
    const clean = this.text(text);
    return clean === text ? bytes : Buffer.from(clean, 'latin1');
  }
}

/** Knuth, Morris and Pratt's matcher over a text that comes in pieces. */
export class Pieces {
  readonly #spelling: Spelling;
  readonly #key: string;
  readonly #back: readonly number[];
  readonly #enough: number;
  readonly #shown: string;
  /** The characters of the key that have been read and not given out, each as it was written. */
  #held: string[] = [];
  /** The beginning of an escape. */
  #escape = '';
  /** Whether the key has been in it so far. */
  found = false;

  constructor(spelling: Spelling, key: string, back: readonly number[], enough: number, shown: string) {
    this.#spelling = spelling;
    this.#key = key;
    this.#back = back;
    this.#enough = enough;
    this.#shown = shown;
  }

  /** Whether something is held back. */
  get holds(): boolean {
    return this.#held.length > 0 || this.#escape !== '';
  }

  /** What can be given out by now. */
  push(text: string): string {
    const rest = this.#escape + text;
    this.#escape = '';
    const mayEscape = this.#spelling === 'json' && rest.includes('\\');
    if (!mayEscape && this.#held.length === 0 && !rest.includes(this.#key.charAt(0))) return rest;
    const out: string[] = [];
    for (let at = 0; at < rest.length; ) {
      const char = rest.charAt(at);
      const escape = mayEscape && char === '\\' ? escapeAt(rest, at) : undefined;
      const { means, written } = escape ?? { means: char, written: char };
      if (means === undefined) this.#escape = written;
      else this.#step(means, written, out);
      at += written.length;
    }
    return out.join('');
  }

  /** What is left when the text has ended. */
  end(): string {
    const out: string[] = [];
    this.#letGo(out);
    out.push(this.#escape);
    this.#escape = '';
    return out.join('');
  }

  #step(means: string, written: string, out: string[]): void {
    while (this.#held.length > 0 && this.#key[this.#held.length] !== means) {
      if (this.#held.length >= this.#enough) {
        this.#letGo(out);
        break;
      }
      const stays = this.#back[this.#held.length - 1] ?? 0;
      out.push(...this.#held.splice(0, this.#held.length - stays)); // SCRUB-3
    }
    if (this.#key[this.#held.length] !== means) return void out.push(written);
    this.#held.push(written);
    if (this.#held.length === this.#key.length) this.#letGo(out);
  }

  /** SCRUB-2. */
  #letGo(out: string[]): void {
    if (this.#held.length >= this.#enough) {
      this.found = true;
      out.push(this.#shown);
    } else {
      out.push(...this.#held);
    }
    this.#held = [];
  }
}

interface Written {
  /** Undefined: the beginning of an escape that the next piece goes on with. */
  readonly means: string | undefined;
  readonly written: string;
}

const ESCAPE = /\\(?:u[0-9a-fA-F]{4}|[^u])/y;
const ESCAPE_BEGUN = /\\(?:u[0-9a-fA-F]{0,3})?$/y;

/** Undefined for a backslash that begins none. */
function escapeAt(text: string, at: number): Written | undefined {
  ESCAPE.lastIndex = at;
  const written = ESCAPE.exec(text)?.[0];
  if (written !== undefined) {
    const code = written.startsWith('\\u')
      ? String.fromCharCode(Number.parseInt(written.slice(2), 16))
      : undefined;
    return { means: code ?? written.slice(1), written };
  }
  ESCAPE_BEGUN.lastIndex = at;
  const begun = ESCAPE_BEGUN.exec(text)?.[0];
  return begun === undefined ? undefined : { means: undefined, written: begun };
}

/** For each beginning of the key, how much of its end is a beginning of the key again. */
function backOf(key: string): readonly number[] {
  const back = [0];
  for (let at = 1; at < key.length; at += 1) {
    let length = back[at - 1] ?? 0;
    while (length > 0 && key[at] !== key[length]) length = back[length - 1] ?? 0;
    back.push(key[at] === key[length] ? length + 1 : 0);
  }
  return back;
}
