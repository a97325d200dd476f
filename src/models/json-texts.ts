/**
 * The texts of a JSON value, one after the other: an answer that does not come as a stream may be cut into blocks at any place. A large one
 * is read part by part (kernel/json-parts.ts).
 */
import { type JsonPart, jsonParts, JsonPartTooLarge } from '../kernel/json-parts.ts';
import { ANSWER_VALUES_MAX, valuesOver } from './answer-limit.ts';
import type { Pieces } from './key-pieces.ts';
import type { Steps } from './loop-share.ts';

/** Deeper ones are looked at as a text only: no answer has them, and each level is one of the stack. */
const DEPTH_MAX = 200;
/** Names of fields that are told apart; a message has less than ten with texts. */
const NAMES_MAX = 64;
/** Of a text that are looked at in one step. */
const STEP_CHARS = 16 * 1024;
/** What is not a list of things to be said is kept for whoever reads the answer. */
const KEPT: ReadonlySet<string> = new Set(['type', 'model', 'usage']);

export interface ReadAnswer {
  /** Its type, its model and its usage, where it is an object. Undefined: it is no JSON. */
  readonly said: Readonly<Record<string, unknown>> | undefined;
  /** Without what the pieces take out; undefined: nothing is to be taken out of it. */
  readonly clean: Buffer | undefined;
}

/** Throws AnswerTooLarge. `pieces` is undefined when nothing is looked for. */
export function* readAnswer(json: string, pieces: (() => Pieces) | undefined): Steps<ReadAnswer> {
  const texts = pieces === undefined ? undefined : new JsonTexts(pieces);
  const said: Record<string, unknown> = {};
  const written = new Written();
  try {
    for (const part of jsonParts(json, { depthMax: Infinity, valuesMax: ANSWER_VALUES_MAX })) {
      const value: unknown = part.kind === 'list' ? undefined : JSON.parse(part.text);
      yield;
      if (part.kind === 'value' && part.name !== undefined && KEPT.has(part.name)) said[part.name] = value;
      if (texts === undefined) continue;
      const clean = yield* texts.scrub(part.name ?? '', value);
      written.add(part, texts.takeFound() ? JSON.stringify(clean) : undefined);
    }
  } catch (error) {
    if (error instanceof JsonPartTooLarge) throw valuesOver();
    if (error instanceof SyntaxError) return { said: undefined, clean: undefined };
    throw error;
  }
  return { said, clean: written.isAnew ? written.end() : undefined };
}

class JsonTexts {
  readonly #pieces: () => Pieces;
  readonly #byName = new Map<string, Pieces>();
  #found = false;

  constructor(pieces: () => Pieces) {
    this.#pieces = pieces;
  }

  /** Whether anything was taken out since somebody asked. */
  takeFound(): boolean {
    const found = this.#found;
    this.#found = false;
    return found;
  }

  /** The value without what is taken out of its texts. */
  *scrub(name: string, value: unknown, depth = 0): Steps<unknown> {
    if (typeof value === 'string') return yield* this.#text(name, value);
    if (typeof value !== 'object' || value === null || depth > DEPTH_MAX) return value;
    if (Array.isArray(value)) {
      const items: unknown[] = [];
      for (const item of value) items.push(yield* this.scrub(name, item, depth + 1));
      return items;
    }
    const fields: [string, unknown][] = [];
    for (const [field, item] of Object.entries(value))
      fields.push([field, yield* this.scrub(field, item, depth + 1)]);
    return Object.fromEntries(fields);
  }

  /** What one text ends with, the next of that name may go on with. */
  *#text(name: string, text: string): Steps<string> {
    const before = this.#byName.get(name);
    const own = before ?? this.#pieces();
    own.next();
    if (before === undefined && this.#byName.size < NAMES_MAX) this.#byName.set(name, own);
    let clean = '';
    for (let at = 0; at < text.length; at += STEP_CHARS) {
      clean += own.pushMore(text.slice(at, at + STEP_CHARS));
      yield;
    }
    clean += own.flush();
    this.#found ||= own.found;
    return clean;
  }
}

/** The parts as JSON again. */
class Written {
  readonly #texts: string[] = [];
  #kind: JsonPart['kind'] | undefined;
  #isObject = false;
  /** Whether it differs from what was read. */
  isAnew = false;

  /** `clean` is JSON that stands in the place of the part's. */
  add(part: JsonPart, clean: string | undefined): void {
    this.isAnew ||= clean !== undefined;
    if (part.kind === 'item') this.#texts.push(this.#kind === 'list' ? '' : ',', clean ?? part.text);
    else this.#beginMember(part);
    if (part.kind === 'value') this.#texts.push(clean ?? part.text);
    this.#kind = part.kind;
  }

  end(): Buffer {
    return Buffer.from(`${this.#texts.join('')}${this.#endOfList}${this.#isObject ? '}' : ''}`);
  }

  get #endOfList(): string {
    return this.#kind === 'list' || this.#kind === 'item' ? ']' : '';
  }

  #beginMember({ kind, name }: JsonPart): void {
    this.#isObject = name !== undefined;
    this.#texts.push(this.#endOfList);
    if (name !== undefined)
      this.#texts.push(this.#kind === undefined ? '{' : ',', `${JSON.stringify(name)}:`);
    if (kind === 'list') this.#texts.push('[');
  }
}
