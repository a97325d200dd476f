/**
 * Takes a model key out of texts in which a service repeats it (gateway.ts GATEWAY-1): errors, headers, whole answers, and texts that come
 * in pieces.
 *
 * SCRUB-1 A text without the key comes back as it was.
 * SCRUB-2 A run of the key is as good as the key (key-forms.ts): in any form, escaped in any way (written-char.ts), in any pieces.
 * SCRUB-3 Of pieces, only what may be a run of the key is held back, and less than a run of it: until the next piece or the end.
 */
import type { Sealed } from '../kernel/sealed.ts';
import { isSecret } from '../secrets/secret-key.ts';
import { formsOf, type KeyForms } from './key-forms.ts';
import { Pieces } from './key-pieces.ts';
import { packedAt, PART_CHARS } from './key-parts.ts';
import type { Steps } from './loop-share.ts';
import { nextNotAsWritten } from './written-char.ts';

/** Looked at in one step: about a millisecond of the slowest. */
const STEP_BYTES = 16 * 1024;

export class KeyScrubber {
  readonly #forms: KeyForms;
  readonly #shown: string;

  /** Undefined for a key that is no secret: such a word may well be meant when it is said. */
  static of(sealed: Sealed): KeyScrubber | undefined {
    return isSecret(sealed.open()) ? new KeyScrubber(sealed) : undefined;
  }

  private constructor(sealed: Sealed) {
    this.#forms = formsOf(sealed.open());
    this.#shown = String(sealed);
  }

  /** A text in pieces. */
  pieces(): Pieces {
    return new Pieces(this.#forms, this.#shown);
  }

  /** A whole text, whether it is JSON or not; the same one when the key is not in it (SCRUB-1). */
  text(text: string): string {
    if (!this.#mayHold(text)) return text;
    const pieces = this.pieces();
    const clean = pieces.push(text) + pieces.flush();
    return pieces.found ? clean : text;
  }

  /** The same buffer when the key is not in it. What is not text stays as it is: keys are ASCII. */
  *bytes(bytes: Buffer): Steps<Buffer> {
    if (bytes.length < this.#forms.runMin) return bytes;
    if (bytes.length > STEP_BYTES) return yield* this.#large(bytes);
    const text = bytes.toString('latin1');
    const clean = this.text(text);
    return clean === text ? bytes : Buffer.from(clean, 'latin1');
  }

  *#large(bytes: Buffer): Steps<Buffer> {
    const pieces = this.pieces();
    const clean: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += STEP_BYTES) {
      clean.push(Buffer.from(pieces.pushMore(bytes.toString('latin1', at, at + STEP_BYTES)), 'latin1'));
      yield;
    }
    clean.push(Buffer.from(pieces.flush(), 'latin1'));
    return pieces.found ? Buffer.concat(clean) : bytes;
  }

  /**
   * False of nearly all that is written. A run holds a part at each place from its first to its last, so one of so many places in a row is
   * enough to look at; and what may mean something else than is written is looked at closely.
   */
  #mayHold(text: string): boolean {
    const { parts, runMin } = this.#forms;
    if (text.length < runMin) return false;
    if (nextNotAsWritten(text, 0) < text.length) return true;
    const places = runMin - PART_CHARS + 1;
    for (let at = places - 1; at + PART_CHARS <= text.length; at += places)
      if (parts.has(packedAt(text, at))) return true;
    return false;
  }
}
