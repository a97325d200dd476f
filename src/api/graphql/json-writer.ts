/**
 * JSON of an answer, as `JSON.stringify` writes it, with stored bodies put in as the text that they are. In pieces where it is large: each
 * is made when there is room for it, so an answer that nobody reads holds what was read for it, and not its text as well.
 */
import { JsonText } from '../../kernel/json-text.ts';

/** From here on a piece is given out: what a socket takes in a few writes, made in less than a millisecond. */
const PIECE_CHARS = 64 * 1024;
/** A longer text is not copied before its turn has come. */
const SHORT_CHARS_MAX = 1024;

/** JSON, or a string that is still to be written as JSON. */
type Part = string | { readonly string: string };

export function jsonText(value: unknown): string {
  return partsOf(value).map(written).join('');
}

/** The same text, in pieces of about PIECE_CHARS. */
export function* jsonPieces(value: unknown): Generator<string, void, undefined> {
  let piece = '';
  for (const part of partsOf(value)) {
    piece += written(part);
    while (piece.length >= 2 * PIECE_CHARS) {
      const end = endOf(piece);
      yield piece.slice(0, end);
      piece = piece.slice(end);
    }
    if (piece.length >= PIECE_CHARS) {
      yield piece;
      piece = '';
    }
  }
  if (piece !== '') yield piece;
}

function written(part: Part): string {
  return typeof part === 'string' ? part : JSON.stringify(part.string);
}

/** Not between the two halves of a character: UTF-8 has none for a half. */
function endOf(piece: string): number {
  const unit = piece.charCodeAt(PIECE_CHARS - 1);
  return unit >= 0xd800 && unit <= 0xdbff ? PIECE_CHARS - 1 : PIECE_CHARS;
}

function partsOf(value: unknown): readonly Part[] {
  const parts: Part[] = [];
  let text = '';
  const cut = (part: Part): void => {
    if (text !== '') parts.push(text);
    text = '';
    parts.push(part);
  };
  const write = (one: unknown): void => {
    if (typeof one === 'string' && one.length > SHORT_CHARS_MAX) cut({ string: one });
    else if (one instanceof JsonText) {
      if (one.text.length > SHORT_CHARS_MAX) cut(one.text);
      else text += one.text;
    } else if (typeof one !== 'object' || one === null) text += JSON.stringify(one) ?? 'null';
    else if ('toJSON' in one && typeof one.toJSON === 'function') write(one.toJSON());
    else if (Array.isArray(one)) writeList(one);
    else writeObject(one);
  };
  const writeList = (list: readonly unknown[]): void => {
    text += '[';
    for (const [at, item] of list.entries()) {
      if (at > 0) text += ',';
      write(item);
    }
    text += ']';
  };
  const writeObject = (object: object): void => {
    text += '{';
    let comma = '';
    for (const [name, item] of Object.entries(object)) {
      if (item === undefined || typeof item === 'function') continue;
      text += `${comma}${JSON.stringify(name)}:`;
      comma = ',';
      write(item);
    }
    text += '}';
  };
  write(value);
  parts.push(text);
  return parts;
}
