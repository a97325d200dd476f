/**
 * Texts whose lines end with CR LF, seen as if they ended with LF: what a model is shown and writes has no CR, and the file
 * is to keep its own.
 */
export type LineEnd = '\n' | '\r\n';

const RETURN = '\r';

/** A text without the CR of its CR LF, and where its characters are in the original. */
export class FlatText {
  readonly text: string;
  /** Where in `text` the newlines are whose CR was left out. */
  readonly #shortened: readonly number[];

  constructor(original: string) {
    const shortened: number[] = [];
    for (let at = original.indexOf('\r\n'); at !== -1; at = original.indexOf('\r\n', at + 2))
      shortened.push(at - shortened.length);
    this.text = shortened.length === 0 ? original : original.replaceAll('\r\n', '\n');
    this.#shortened = shortened;
  }

  /** In the original; a newline begins with its CR. */
  originOf(at: number): number {
    let [low, high] = [0, this.#shortened.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#shortened[middle] ?? 0) < at) low = middle + 1;
      else high = middle;
    }
    return at + low;
  }
}

/** How lines end from `start` to `end` of the text, or around it when no line ends there. */
export function lineEndAt(text: string, start: number, end: number): LineEnd {
  const inside = text.indexOf('\n', start);
  const newline = inside !== -1 ? inside : text.lastIndexOf('\n', end);
  return newline > 0 && text[newline - 1] === RETURN ? '\r\n' : '\n';
}

export function withLineEnd(text: string, lineEnd: LineEnd): string {
  return text.replaceAll(/\r?\n/g, lineEnd);
}

/** How the lines of a text end: `mixed` when some end so and some otherwise; undefined when none ends. */
export function lineEndsOf(text: string): LineEnd | 'mixed' | undefined {
  const windows = text.includes('\r\n');
  const plain = /(?:^|[^\r])\n/.test(text);
  if (windows) return plain ? 'mixed' : '\r\n';
  return plain ? '\n' : undefined;
}
