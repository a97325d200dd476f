/**
 * Events: one interface, and one object type per entry of journal/event.ts's table, made from that table. A type that
 * this version does not know is an UnknownEvent with its body, never dropped.
 */
import type { Level } from '../src/journal/event-catalog.ts';
import type { Actor, RecordedEvent } from '../src/journal/event.ts';
import type { Field } from '../src/journal/event-field.ts';
import { EVENTS, LEVEL_RANK } from '../src/journal/event-catalog.ts';
import { cursorOf, parseCursor } from '../src/journal/cursor.ts';
import { SessionNotFound } from '../src/journal/faults.ts';
import { must } from '../src/kernel/assert.ts';
import { Forbidden, InvalidInput } from '../src/kernel/fault.ts';
import { eventIdOf, parseId, type SessionId, seqOfEventId } from '../src/kernel/id.ts';
import { PAGE_EVENTS_MAX } from '../src/kernel/limit.ts';
import { EventNotFound } from '../src/sessions/faults.ts';
import { builder } from './builder.ts';
import { connectionOf, type Page } from './connection.ts';
import { type Context, permit } from './context.ts';
import { choiceEnum } from './event-choice.ts';
import { bodyBytesOf, bodyOf, typeNameOf, valueOf } from './event-value.ts';

/** What a body counts as in the cost of a query, where other fields count 1: up to 32 KiB, and whole up to 4 MiB. */
const BODY_COMPLEXITY = 2;
const FULL_BODY_COMPLEXITY = 20;

/** Pages that one look at a filtered list may read: a filter that matches little must not read a whole log at once. */
const FILTERED_PAGES_MAX = 50;

export const LevelEnum = builder.enumType('EventLevel', {
  description: 'Who an event is for. Levels add up: a reader at PROGRESS also gets USER.',
  values: {
    USER: { value: 'user', description: 'Answers, questions, inputs and outcomes.' },
    PROGRESS: { value: 'progress', description: 'Turn markers and narration as well.' },
    INTERNAL: { value: 'internal', description: 'Everything: tool calls, model calls, the runtime.' },
  } as const satisfies Record<string, { value: Level; description: string }>,
});

const ActorKind = builder.enumType('ActorKind', {
  description: 'What sort of author an event has.',
  values: {
    HUMAN: { value: 'human', description: 'Somebody outside, by an API key or a client token.' },
    AGENT: { value: 'agent', description: 'The model.' },
    SYSTEM: { value: 'system', description: 'The runtime.' },
  } as const satisfies Record<string, { value: Actor['kind']; description: string }>,
});

const ActorType = builder.objectRef<Actor>('Actor').implement({
  description: 'Who caused an event.',
  fields: (t) => ({
    kind: t.field({ type: ActorKind, description: 'What sort of author.', resolve: ({ kind }) => kind }),
    id: t.exposeString('id', { nullable: true, description: 'Which one, for example the API key.' }),
    display: t.exposeString('display', { nullable: true, description: 'A name for people.' }),
  }),
});

export const EventInterface = builder.interfaceRef<RecordedEvent>('Event').implement({
  description: 'Something that happened in a session: durable, in order, never changed.',
  resolveType: ({ type }) => typeNameOf(type),
  fields: (t) => ({
    id: t.id({
      description: 'Unique everywhere.',
      resolve: ({ sessionId, seq }) => eventIdOf(sessionId, seq),
    }),
    seq: t.field({
      type: 'SafeInt',
      description: 'Place in the log: 1, 2, 3 … without gaps.',
      resolve: ({ seq }) => seq,
    }),
    cursor: t.field({
      type: 'Cursor',
      description: 'The place behind this event: resume from here to get what came next.',
      resolve: ({ sessionId, seq }) => cursorOf(sessionId, seq),
    }),
    at: t.field({
      type: 'DateTime',
      description: 'When it was written; never before the event before.',
      resolve: ({ at }) => at,
    }),
    type: t.exposeString('type', { description: 'Its dotted name, for example user.message.' }),
    level: t.field({ type: LevelEnum, description: 'Who it is for.', resolve: ({ level }) => level }),
    actor: t.field({ type: ActorType, description: 'Who caused it.', resolve: ({ actor }) => actor }),
    turnId: t.id({
      nullable: true,
      description: 'The turn that it belongs to, if any.',
      resolve: ({ turnId }) => turnId ?? null,
    }),
    body: t.field({
      type: 'JSON',
      complexity: BODY_COMPLEXITY,
      description: 'All of its data. When bodyTruncated: a preview of the same shape with long strings cut.',
      resolve: (event) => bodyOf(event),
    }),
    bodyTruncated: t.boolean({
      description: 'True when body and the typed fields are a preview; fullBody has the whole.',
      resolve: ({ spilledBytes }) => spilledBytes !== undefined,
    }),
    bodyBytes: t.field({
      type: 'SafeInt',
      description: 'Size of the whole body as JSON text.',
      resolve: bodyBytesOf,
    }),
    fullBody: t.field({
      type: 'JSON',
      complexity: FULL_BODY_COMPLEXITY,
      description: 'The whole body, read from where large ones are kept.',
      resolve: async (event, _args, { journal }) => {
        if (event.spilledBytes === undefined) return bodyOf(event);
        const text = await journal.readBody(event.sessionId, event.seq);
        return text === undefined ? null : JSON.parse(text);
      },
    }),
  }),
});

const KnownEvents = Object.entries(EVENTS).map(([type, { description, body }]) =>
  builder.objectRef<RecordedEvent>(typeNameOf(type)).implement({
    description,
    interfaces: [EventInterface],
    fields: (t) =>
      Object.fromEntries(
        Object.entries<Field>(body).map(([name, field]) => [
          name,
          t.field({
            type: scalarOf(field),
            nullable: field.optional,
            description: field.description,
            resolve: (event) => valueOf(event, name) as never, // the table says which type, and checks at the write
          }),
        ]),
      ),
  }),
);
const UnknownEvent = builder.objectRef<RecordedEvent>(typeNameOf('')).implement({
  description:
    'An event of a type that this server does not know, written by a newer one. Its data is in body.',
  interfaces: [EventInterface],
});

export const EventConnection = connectionOf<RecordedEvent>('Event', EventInterface);

/** What a reader wants to see; the cursor moves over what it does not. */
export interface EventFilter {
  readonly level?: Level | null | undefined;
  readonly types?: readonly string[] | null | undefined;
}

/** True for events that the filter lets through. */
export function passes(filter: EventFilter, event: RecordedEvent): boolean {
  if (filter.level && LEVEL_RANK[event.level] > LEVEL_RANK[filter.level]) return false;
  return !filter.types || filter.types.includes(event.type);
}

/** Throws InvalidInput for a type that no event has: a filter with a slip of the pen would wait for ever. */
export function checkFilter({ types }: EventFilter): void {
  for (const [at, type] of (types ?? []).entries()) {
    if (!(type in EVENTS))
      throw new InvalidInput('types', `number ${at + 1} is no type of events; docs/events.md has them all.`);
  }
}

/** A page of a session's log after a cursor, oldest first; `head` is as far as it goes (SNAPSHOT-1). */
export async function eventPage(
  { journal }: Pick<Context, 'journal'>,
  { sessionId, head }: { readonly sessionId: SessionId; readonly head: number },
  page: EventFilter & { readonly first: number; readonly after?: string | null | undefined },
): Promise<Page<RecordedEvent>> {
  checkFilter(page);
  let seq = page.after ? parseCursor(sessionId, page.after) : 0;
  const nodes: RecordedEvent[] = [];
  let hasNextPage = false;
  for (let pages = 0; pages < FILTERED_PAGES_MAX; pages += 1) {
    const limit = Math.min(PAGE_EVENTS_MAX, head - seq);
    const events = limit <= 0 ? [] : await journal.read(sessionId, { after: seq, limit });
    hasNextPage = events.length > 0;
    for (const event of events) {
      if (passes(page, event)) {
        if (nodes.length === page.first) return { nodes, hasNextPage, cursorOf: cursorOfEvent };
        nodes.push(event);
      }
      seq = event.seq;
    }
    if (!hasNextPage) break;
  }
  return {
    nodes,
    hasNextPage,
    cursorOf: cursorOfEvent,
    endCursor: seq === 0 ? undefined : cursorOf(sessionId, seq),
  };
}

/** One event by its id. Throws EventNotFound, InvalidInput, SessionNotFound. */
export async function findEvent(
  { journal }: Pick<Context, 'journal'>,
  sessionId: SessionId,
  id: string,
): Promise<RecordedEvent> {
  const seq = seqOfEventId(parseId('event', id, 'id'), sessionId);
  const [event] =
    seq === undefined || seq < 1 ? [] : await journal.read(sessionId, { after: seq - 1, limit: 1 });
  if (event === undefined || event.seq !== seq) throw new EventNotFound(id);
  return event;
}

builder.queryField('event', (t) =>
  t.errorUnionField({
    types: [...KnownEvents, UnknownEvent, InvalidInput, Forbidden, SessionNotFound, EventNotFound],
    union: { resolveType: (event) => ('type' in event ? typeNameOf(event.type) : undefined) },
    description: 'One event of a session.',
    args: {
      sessionId: t.arg.id({ required: true, description: 'The session whose log it is in.' }),
      id: t.arg.id({ required: true, description: 'The id of the event.' }),
    },
    resolve: async (_root, args, context) => {
      const sessionId = parseId('session', args.sessionId, 'sessionId');
      permit(context, 'read', sessionId);
      return findEvent(context, sessionId, args.id);
    },
  }),
);

function cursorOfEvent({ sessionId, seq }: RecordedEvent): string {
  return cursorOf(sessionId, seq);
}

function scalarOf(field: Field): 'String' | 'SafeInt' | 'Boolean' | 'JSON' | ReturnType<typeof choiceEnum> {
  switch (field.kind) {
    case 'text':
      return 'String';
    case 'count':
      return 'SafeInt';
    case 'flag':
      return 'Boolean';
    case 'json':
      return 'JSON';
    case 'choice':
      return choiceEnum(must(field.choice, 'a choice has its values'));
  }
}
