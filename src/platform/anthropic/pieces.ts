/**
 * A text that comes in pieces. A pair of surrogates may be split between two of them, so a half at the end of a piece
 * waits for the next one; a half that stays alone becomes U+FFFD. What `add` and `end` give out is `text`, in order.
 */
export class Pieces {
  #text = '';
  #half = '';

  get text(): string {
    return this.#text;
  }

  /** What is certain now. */
  add(piece: string): string {
    const all = this.#half + piece;
    const open = isHighSurrogate(all.charCodeAt(all.length - 1));
    this.#half = open ? all.slice(-1) : '';
    const certain = (open ? all.slice(0, -1) : all).toWellFormed();
    this.#text += certain;
    return certain;
  }

  /** What was waited for in vain. */
  end(): string {
    const rest = this.#half.toWellFormed();
    this.#half = '';
    this.#text += rest;
    return rest;
  }
}

/** NaN, of an empty text, is none. */
function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
