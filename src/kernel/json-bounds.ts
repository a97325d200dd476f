/**
 * How much JSON.parse would make of a text, found out before it does: a megabyte of `[` or of `{}` holds up the event loop for half a
 * second or more, and what comes of it takes fifty times its text. One look at each character, without memory of its own.
 *
 * It does not say whether a text is JSON: of one that is not, JSON.parse makes no more than what is counted here before its fault.
 */

export interface JsonBounds {
  readonly depthMax: number;
  /** Of everything that stands in a list or under a name, and of lists and objects. */
  readonly valuesMax: number;
}

export type JsonExcess = 'depth' | 'values';

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const LIST = 0x5b;
const LIST_END = 0x5d;
const OBJECT = 0x7b;
const OBJECT_END = 0x7d;

/** Which bound a text goes beyond; undefined when none. */
export function excessOf(text: string, { depthMax, valuesMax }: JsonBounds): JsonExcess | undefined {
  let depth = 0;
  let values = 1;
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = endOfString(text, at + 1);
        break;
      case LIST:
      case OBJECT:
        depth += 1;
        values += 1; // the first in it, or the place for one
        if (depth > depthMax) return 'depth';
        if (values > valuesMax) return 'values';
        break;
      case LIST_END:
      case OBJECT_END:
        depth -= 1;
        break;
      case COMMA:
        values += 1; // the next in it
        if (values > valuesMax) return 'values';
        break;
    }
  }
  return undefined;
}

/** Where the quote is that ends a string; the length of the text where none does. Most strings have nothing escaped. */
export function endOfString(text: string, start: number): number {
  const quote = text.indexOf('"', start);
  if (quote < 0) return text.length;
  if (text.charCodeAt(quote - 1) !== BACKSLASH) return quote;
  for (let at = start; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at;
    if (code === BACKSLASH) at += 1; // whatever follows is no end
  }
  return text.length;
}
