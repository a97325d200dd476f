/**
 * What the fields of an event are read from, shared by the resolvers and by the quick projection
 * (api/graphql/projection.ts), so that both give the same.
 */
import { EVENTS } from '../src/journal/event-catalog.ts';
import { type EventType, type RecordedEvent } from '../src/journal/event.ts';
import type { Field } from '../src/journal/event-field.ts';
import { JsonText } from '../src/kernel/json-text.ts';

const UNKNOWN_EVENT = 'UnknownEvent';
/** The Fault of the same name has it: a client that sends to a closed session meets that one more often. */
const TAKEN: Readonly<Record<string, string>> = { 'session.archived': 'SessionArchivedEvent' };
const names = new Map<string, string>(Object.keys(EVENTS).map((type) => [type, TAKEN[type] ?? pascal(type)]));
/** Parsed bodies of events that are being answered right now: several typed fields, one parse. */
const parsed = new WeakMap<RecordedEvent, Readonly<Record<string, unknown>>>();

/** `user.message` -> `UserMessage`; `UnknownEvent` for a type that is not in the table. */
export function typeNameOf(type: string): string {
  return names.get(type) ?? UNKNOWN_EVENT;
}

/** The fields of a known type's body, as the table has them. */
export function bodyFieldsOf(type: string): Readonly<Record<string, Field>> | undefined {
  return Object.hasOwn(EVENTS, type) ? EVENTS[type as EventType].body : undefined; // as: hasOwn said so
}

function bodyOf(event: RecordedEvent): Readonly<Record<string, unknown>> {
  const known = parsed.get(event);
  if (known !== undefined) return known;
  const body = JSON.parse(event.body) as Readonly<Record<string, unknown>>; // the codec wrote an object
  parsed.set(event, body);
  return body;
}

/** The whole of it, to be shown as it is. */
export function bodyTextOf({ body }: RecordedEvent): JsonText {
  return new JsonText(body);
}

export function bodyBytesOf(event: RecordedEvent): number {
  return event.spilledBytes ?? Buffer.byteLength(event.body);
}

/** The typed field `name` of an event; null where an optional one is absent. */
export function valueOf(event: RecordedEvent, name: string): unknown {
  return bodyOf(event)[name] ?? null;
}

function pascal(type: string): string {
  return type
    .split(/[._]/)
    .map((word) => `${word[0]?.toUpperCase()}${word.slice(1)}`)
    .join('');
}
