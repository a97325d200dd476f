/**
 * A text that comes in pieces. A pair of surrogates may be split between two of them, so a half at the end of a piece
 * waits for the next one; a half that stays alone becomes U+FFFD. What `add` and `end` give out is `text`, in order.
 */
export class Pieces {
  #text = '';
  #half = '';
  #altered = false;

  get text(): string {
    return this.#text;
  }

  /** Whether the text is another one than came. */
  get altered(): boolean {
    return this.#altered;
  }

  /** What is certain now. */
  add(piece: string): string {
    const all = this.#half + piece;
    const open = isHighSurrogate(all.charCodeAt(all.length - 1));
    this.#half = open ? all.slice(-1) : '';
    return this.#take(open ? all.slice(0, -1) : all);
  }

  /** What was waited for in vain. */
  end(): string {
    const rest = this.#half;
    this.#half = '';
    return this.#take(rest);
  }

  #take(written: string): string {
    this.#altered ||= !written.isWellFormed();
    const text = written.toWellFormed();
    this.#text += text;
    return text;
  }
}

/** NaN, of an empty text, is none. */
function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
