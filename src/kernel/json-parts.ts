/**
 * A JSON text in parts: the members of an object one by one, and of a member that is a list its items one by one. Who parses a large text
 * part by part can let others in between, where JSON.parse holds up the event loop until it has all.
 *
 * PARTS-1 A text whose parts are all JSON is JSON, and the other way round: what stands between the parts is checked here.
 */
import { endOfString, excessOf, type JsonBounds, type JsonExcess } from './json-bounds.ts';

export type JsonPart =
  /** `name` is undefined when the outermost value is no object. */
  | { readonly kind: 'value'; readonly name: string | undefined; readonly text: string }
  /** Items follow, until there is a part of another kind. */
  | { readonly kind: 'list'; readonly name: string | undefined }
  | { readonly kind: 'item'; readonly name: string | undefined; readonly text: string };

/** A part of it goes beyond the bounds. */
export class JsonPartTooLarge extends Error {
  readonly excess: JsonExcess;

  constructor(excess: JsonExcess) {
    super(`A part of the JSON has too many ${excess === 'depth' ? 'levels' : excess}.`);
    this.excess = excess;
  }
}

const SPACE = /[ \t\n\r]*/y;
const SCALAR = /[^,\]} \t\n\r]*/y;

/** The bounds are those of each part. Throws SyntaxError where it is no JSON between the parts, and JsonPartTooLarge. */
export function jsonParts(text: string, bounds: JsonBounds): Generator<JsonPart, void> {
  return new PartReader(text, bounds).read();
}

class PartReader {
  readonly #text: string;
  readonly #bounds: JsonBounds;
  #at = 0;

  constructor(text: string, bounds: JsonBounds) {
    this.#text = text;
    this.#bounds = bounds;
  }

  *read(): Generator<JsonPart, void> {
    this.#pass(SPACE);
    if (this.#takes('{')) yield* this.#members();
    else yield* this.#value(undefined);
    if (this.#at < this.#text.length) throw this.#fault();
  }

  *#members(): Generator<JsonPart, void> {
    if (this.#takes('}')) return;
    do {
      if (this.#text[this.#at] !== '"') throw this.#fault();
      const name: unknown = JSON.parse(this.#partText());
      if (!this.#takes(':')) throw this.#fault();
      yield* this.#value(String(name));
    } while (this.#takes(','));
    if (!this.#takes('}')) throw this.#fault();
  }

  *#value(name: string | undefined): Generator<JsonPart, void> {
    if (!this.#takes('[')) {
      yield { kind: 'value', name, text: this.#partText() };
      return;
    }
    yield { kind: 'list', name };
    if (this.#takes(']')) return;
    do yield { kind: 'item', name, text: this.#partText() };
    while (this.#takes(','));
    if (!this.#takes(']')) throw this.#fault();
  }

  /** Of the value that begins here. */
  #partText(): string {
    const from = this.#at;
    const first = this.#text[from];
    if (first === '"') this.#at = endOfString(this.#text, from + 1) + 1;
    else if (first === '{' || first === '[') this.#at = endOfContainer(this.#text, from);
    else this.#pass(SCALAR);
    const part = this.#text.slice(from, this.#at);
    const excess = excessOf(part, this.#bounds);
    if (excess !== undefined) throw new JsonPartTooLarge(excess);
    this.#pass(SPACE);
    return part;
  }

  #takes(char: string): boolean {
    if (this.#text[this.#at] !== char) return false;
    this.#at += 1;
    this.#pass(SPACE);
    return true;
  }

  #pass(what: RegExp): void {
    what.lastIndex = this.#at;
    what.test(this.#text);
    this.#at = what.lastIndex;
  }

  /** Without what is there: it may be anything. */
  #fault(): SyntaxError {
    return new SyntaxError(`The text is no JSON at ${this.#at}.`);
  }
}

/** Behind the bracket that ends the list or the object; the length of the text where none does. */
function endOfContainer(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    const char = text[at];
    if (char === '"') at = endOfString(text, at + 1);
    else if (char === '{' || char === '[') depth += 1;
    else if (char === '}' || char === ']') {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return text.length;
}
