/**
 * Events: one interface, and one object type per entry of journal/event.ts's table, made from that table. A type that
 * this version does not know is an UnknownEvent with its body, never dropped.
 */
import type { Level } from '../src/journal/event-catalog.ts';
import type { Actor, RecordedEvent } from '../src/journal/event.ts';
import type { Field } from '../src/journal/event-field.ts';
import { EVENTS } from '../src/journal/event-catalog.ts';
import { cursorOf } from '../src/journal/cursor.ts';
import { SessionGone, SessionNotFound } from '../src/journal/faults.ts';
import { must } from '../src/kernel/assert.ts';
import { Forbidden, InvalidInput } from '../src/kernel/fault.ts';
import { eventIdOf, parseId } from '../src/kernel/id.ts';
import { BODY_BYTES_MAX } from '../src/kernel/limit.ts';
import { EventNotFound } from '../src/sessions/faults.ts';
import { builder } from './builder.ts';
import { weightOf } from './body-weight.ts';
import { connectionOf } from './connection.ts';
import { permit } from './context.ts';
import { costing } from './cost.ts';
import { choiceEnum } from './event-choice.ts';
import { findEvent } from './event-list.ts';
import { bodyBytesOf, bodyTextOf, typeNameOf, valueOf } from './event-value.ts';
import { WholeBodies } from './whole-body.ts';

/** What a body counts as in the cost of a query, where other fields count 1: up to 32 KiB, and whole up to 4 MiB. */
const BODY_POINTS = 2;
const FULL_BODY_POINTS = 20;

const wholeBodies = new WholeBodies();

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
      ...costing({ points: BODY_POINTS }),
      description: 'All of its data. When bodyTruncated: a preview of the same shape with long strings cut.',
      resolve: bodyTextOf,
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
      ...costing({ points: FULL_BODY_POINTS, bytes: BODY_BYTES_MAX }),
      description: 'The whole body, read from where large ones are kept.',
      resolve: (event, _args, context) => {
        context.reading.takeWhole(bodyBytesOf(event)); // READING-1
        return event.spilledBytes === undefined ? bodyTextOf(event) : wholeBodies.of(event, context);
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

builder.queryField('event', (t) =>
  t.errorUnionField({
    types: [
      ...KnownEvents,
      UnknownEvent,
      InvalidInput,
      Forbidden,
      SessionNotFound,
      SessionGone,
      EventNotFound,
    ],
    union: { resolveType: (event) => ('type' in event ? typeNameOf(event.type) : undefined) },
    description: 'One event of a session.',
    args: {
      sessionId: t.arg.id({ required: true, description: 'The session whose log it is in.' }),
      id: t.arg.id({ required: true, description: 'The id of the event.' }),
    },
    resolve: async (_root, args, context, info) => {
      const sessionId = parseId('session', args.sessionId, 'sessionId');
      permit(context, 'session.read', sessionId);
      await context.sessions.get(sessionId); // ORGANISATION-1
      return findEvent(context, sessionId, args.id, weightOf(info));
    },
  }),
);

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
