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
import { scrubbedTexts } from './json-texts.ts';

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
    const pieces = this.pieces();
    const clean = pieces.push(text) + pieces.flush();
    return pieces.found ? clean : text;
  }

  /** The same buffer when the key is not in it. What is not text stays as it is: keys are ASCII. */
  bytes(bytes: Buffer): Buffer {
    const text = bytes.toString('latin1');
    const clean = this.text(text);
    return clean === text ? bytes : Buffer.from(clean, 'latin1');
  }

  /** A body in which the key is not, for all that is written: one that is JSON, without a key that is spread over several of its texts. */
  spread(bytes: Buffer): Buffer {
    const texts = scrubbedTexts(bytes.toString('utf8'), () => this.pieces());
    return texts === undefined ? bytes : Buffer.from(texts);
  }
}
