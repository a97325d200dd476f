/**
 * Between events as values and events as stored text.
 *
 * parseBody   checks what comes from outside against the event table: a body that passes has exactly the fields of its type.
 * bodyText    prints a body; previewText prints a small one of the same shape, for a body that is stored beside its event.
 * toEvent     reads a stored event back; a type that this version does not know is undefined, never a guess.
 */
import { InvalidInput } from '../kernel/fault.ts';
import { eventIdOf } from '../kernel/id.ts';
import { JSON_DEPTH_MAX } from '../kernel/limit.ts';
import { EVENTS } from './event-catalog.ts';
import { type BodyOf, type Event, type EventType, type RecordedEvent } from './event.ts';
import type { Field } from './event-field.ts';

/** A string in a preview: some lines to recognise it by. */
const PREVIEW_TEXT_CHARS_MAX = 1_024;
/** Strings of a preview in all: escaped at worst they still fit where a whole body would. */
const PREVIEW_CHARS_MAX = 4_096;
/** Ids, names and choices are shorter and stay whole, so that a preview is read like any body. */
const PREVIEW_WORD_CHARS_MAX = 256;
/** Values inside json fields of a preview. */
const PREVIEW_VALUES_MAX = 256;
const CUT = '…';
const TOO_DEEP = `expected JSON of at most ${JSON_DEPTH_MAX} levels.`;
const NOT_FINITE = 'expected numbers up to 1.8e308; one is larger. Send it as a string.';

interface Rule {
  readonly name: string;
  readonly optional: boolean;
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
}

/** The rules of every type, worked out once: this runs for each event that a brain writes. */
const RULES: ReadonlyMap<string, { readonly all: readonly Rule[]; readonly names: ReadonlySet<string> }> =
  new Map(
    Object.entries(EVENTS).map(([type, { body }]) => {
      const fields: [string, Field][] = Object.entries(body);
      const all = fields.map(([name, field]) => ruleOf(name, field));
      return [type, { all, names: new Set(all.map(({ name }) => name)) }];
    }),
  );

export function isEventType(type: string): type is EventType {
  return RULES.has(type);
}

/** The body, unchanged, when it is one of `type`; throws InvalidInput naming the field that is not. */
export function parseBody<T extends EventType>(type: T, body: unknown): BodyOf<T> {
  const rules = RULES.get(type);
  if (rules === undefined) throw new InvalidInput('type', 'expected a known event type.');
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new InvalidInput('body', 'expected a JSON object.');
  }
  const given = body as Readonly<Record<string, unknown>>; // an object, checked above
  for (const rule of rules.all) {
    const value = given[rule.name];
    if (value === undefined ? !rule.optional : !rule.accepts(value)) {
      throw new InvalidInput(`body.${rule.name}`, `expected ${rule.expected}.`);
    }
  }
  for (const name of Object.keys(given)) {
    if (!rules.names.has(name)) {
      throw new InvalidInput(
        `body.${name.slice(0, PREVIEW_WORD_CHARS_MAX)}`,
        `an event ${type} has no such field.`,
      );
    }
  }
  return given as BodyOf<T>; // each field was checked against the table
}

export function bodyText(body: object): string {
  return JSON.stringify(body);
}

/** The same fields with long strings and lists cut, deep: far below BODY_INLINE_BYTES_MAX whatever the body. */
export function previewText(body: object): string {
  const left = { chars: PREVIEW_CHARS_MAX, values: PREVIEW_VALUES_MAX };
  const preview = Object.entries(body).map(([name, value]) => {
    const isWord = typeof value === 'string' && value.length <= PREVIEW_WORD_CHARS_MAX;
    return [name, isWord ? value : previewOf(value, left)];
  });
  return JSON.stringify(Object.fromEntries(preview));
}

export function toEvent(recorded: RecordedEvent): Event | undefined {
  const { sessionId, seq, at, type, level, actor, turnId, body } = recorded;
  if (!isEventType(type)) return undefined;
  const place = { id: eventIdOf(sessionId, seq), sessionId, seq, at };
  return { ...place, type, level, actor, turnId, body: JSON.parse(body) } as Event; // as: it was checked, or made by us, before it was written
}

function ruleOf(name: string, field: Field): Rule {
  const { optional } = field;
  switch (field.kind) {
    case 'text':
      return { name, optional, expected: 'text', accepts: (value) => typeof value === 'string' };
    case 'count':
      return { name, optional, expected: 'a whole number from 0', accepts: isCount };
    case 'flag':
      return { name, optional, expected: 'true or false', accepts: (value) => typeof value === 'boolean' };
    case 'json':
      return {
        name,
        optional,
        expected: `JSON of at most ${JSON_DEPTH_MAX} levels, without numbers beyond 1.8e308`,
        accepts: (value) => isJson(value),
      };
    case 'choice': {
      const values = new Set<unknown>(field.choice?.values);
      return {
        name,
        optional,
        expected: `one of ${[...values].join(', ')}`,
        accepts: (value) => values.has(value),
      };
    }
  }
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0; // a number, by the first half
}

/** Plain JSON of at most JSON_DEPTH_MAX levels. */
export function isJson(value: unknown): boolean {
  return whyNotJson(value) === undefined;
}

/** What was expected, when it is not plain JSON of at most JSON_DEPTH_MAX levels. */
export function whyNotJson(value: unknown, depth = 0): string | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : NOT_FINITE; // JSON.parse makes Infinity of 1e999
    case 'object':
      if (value === null) return undefined;
      if (depth >= JSON_DEPTH_MAX) return TOO_DEEP;
      for (const inner of Object.values(value)) {
        const why = whyNotJson(inner, depth + 1);
        if (why !== undefined) return why;
      }
      return undefined;
    default:
      return 'expected JSON.';
  }
}

function previewOf(value: unknown, left: { chars: number; values: number }): unknown {
  left.values -= 1;
  if (typeof value === 'string') return cut(value, left);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const kept: unknown[] = [];
    for (const inner of value) {
      if (left.values <= 0) break;
      kept.push(previewOf(inner, left));
    }
    return kept;
  }
  const kept: [string, unknown][] = [];
  for (const [name, inner] of Object.entries(value)) {
    if (left.values <= 0) break;
    kept.push([cut(name, left), previewOf(inner, left)]);
  }
  return Object.fromEntries(kept);
}

function cut(text: string, left: { chars: number }): string {
  const chars = Math.max(0, Math.min(PREVIEW_TEXT_CHARS_MAX, left.chars));
  left.chars -= Math.min(text.length, chars);
  if (text.length <= chars) return text;
  const lastCode = text.charCodeAt(chars - 1);
  const splitsPair = lastCode >= 0xd800 && lastCode <= 0xdbff; // half a character is no text
  return text.slice(0, splitsPair ? chars - 1 : chars) + CUT;
}
