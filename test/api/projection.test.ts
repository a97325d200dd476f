/** The quick path gives the bytes that execution gives: random frames, random selections, a printed seed. */
import {
  executeSync,
  getOperationAST,
  type GraphQLObjectType,
  isInterfaceType,
  isObjectType,
  isUnionType,
  parse,
  validate,
} from 'graphql';
import { expect, it } from 'vitest';
import { typeNameOf } from '../../schema/event-value.ts';
import type { Frame } from '../../schema/frame.ts';
import { schema } from '../../schema/schema.ts';
import { compileProjection } from '../../src/api/graphql/projection.ts';
import { plainRoot } from '../../src/api/graphql/renderer.ts';
import { fragmentsOf, Unprojectable } from '../../src/api/graphql/selection.ts';
import { EVENTS } from '../../src/journal/event-catalog.ts';
import { type EventType, type RecordedEvent } from '../../src/journal/event.ts';
import type { Field } from '../../src/journal/event-field.ts';
import { must } from '../../src/kernel/assert.ts';
import { newId, turnIdOf } from '../../src/kernel/id.ts';

const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const ROUNDS = 60;
const STRINGS = [
  '',
  'plain',
  'quote " back \\ slash',
  'new\nline\ttab',
  'ünïcödé 🚀',
  '\u2028\u0000',
  '</script>',
  '{"json":"text"}',
];
const EVENT = must(schema.getType('Event'), 'Event is a type');
const SESSION_ID = newId('session');

/** mulberry32: small, and the same everywhere. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const random = randomOf(SEED);
const chance = (share: number): boolean => random() < share;
const pick = <T>(items: readonly T[]): T =>
  must(items[Math.floor(random() * items.length)], 'there is one to pick');
const some = <T>(items: readonly T[]): readonly T[] => items.filter(() => chance(0.5));

it(`writes for every frame and selection what execution writes (SEED=${SEED})`, () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const query = subscriptionText();
    expectSameBytes(query, allFrames());
  }
});

it('has a projection for all fields of all types at once', () => {
  const events = Object.keys(EVENTS).map((type) => {
    const name = typeNameOf(type);
    return `... on ${name} { ${fieldsOf(name)
      .map((field) => selectionOf(field, `${name}_${field}`))
      .join(' ')} }`;
  });
  const query = `subscription { sessionEvents(sessionId: "x") { __typename
    ... on EventBatch { cursor events { __typename ${events.join(' ')} } } } }`;

  expectSameBytes(query, allFrames());
});

it.each([
  [
    'a directive',
    'subscription ($no: Boolean!) { sessionEvents(sessionId: "x") { ... on CaughtUp { cursor @skip(if: $no) } } }',
  ],
  [
    'a directive on a fragment',
    'subscription ($no: Boolean!) { sessionEvents(sessionId: "x") { ... on CaughtUp @include(if: $no) { cursor } } }',
  ],
  [
    'a body read from elsewhere',
    'subscription { sessionEvents(sessionId: "x") { ... on EventBatch { events { fullBody } } } }',
  ],
])('leaves %s to execution', (_what, query) => {
  expect(() => projectionOf(query)).toThrow(Unprojectable);
});

it('leaves an event whose stored body is not as the table has it to execution', () => {
  const query =
    'subscription { sessionEvents(sessionId: "x") { ... on EventBatch { events { ... on AgentMessage { text } } } } }';
  const event: RecordedEvent = { ...eventOf('agent.message', 1), body: '{"callId":"call"}' };

  const write = projectionOf(query);

  expect(() => write({ kind: 'events', sessionId: SESSION_ID, events: [event], seq: 1 })).toThrow(
    Unprojectable,
  );
});

function expectSameBytes(query: string, frames: readonly Frame[]): void {
  const document = parse(query);
  expect(validate(schema, document)).toEqual([]);
  const write = projectionOf(query);
  for (const rootValue of frames) {
    const { data, errors } = executeSync({ schema, document, rootValue, contextValue: {} });
    const text = JSON.stringify(data?.['sessionEvents']);
    expect({ query, errors: undefined, text: write(rootValue) }).toEqual({ query, errors, text });
  }
}

function projectionOf(query: string): (frame: Frame) => string {
  const document = parse(query);
  const root = must(
    plainRoot(must(getOperationAST(document), 'there is one operation')),
    'its root is plain',
  );
  return compileProjection(schema, fragmentsOf(document), root);
}

/** A subscription with some fields, aliases, inline fragments on types and interfaces, and named fragments used twice. */
function subscriptionText(): string {
  const frames = some([
    'CaughtUp',
    'MessageDelta',
    'ThinkingDelta',
    'SlowConsumer',
    'SessionGone',
    'CursorRefused',
  ])
    .map((type) => `... on ${type} { ${fieldsText(type)} }`)
    .join(' ');
  const named = some(Object.keys(EVENTS)).map(typeNameOf);
  const fragments = named.map((type) => `fragment F${type} on ${type} { ${fieldsText(type, `${type}_`)} }`);
  const spreads = [...named, ...some(named)].map((type) => `...F${type}`).join(' ');
  const interfaces = chance(0.5) ? `... on Event { ${fieldsText('Event', 'e_')} actor { kind } }` : '';
  const bare = chance(0.5) ? `... { seq actor { ${chance(0.5) ? 'id' : '__typename'} } }` : '';
  const events = `events { ${fieldsText('Event')} ${spreads} ${interfaces} ${bare} }`;
  const again = chance(0.3) ? 'events { cursor }' : '';
  return `subscription { sessionEvents(sessionId: "x") { ${chance(0.5) ? '__typename' : 'kind: __typename'} ${frames}
    ... on EventBatch { ${chance(0.5) ? 'cursor' : 'at: cursor'} ${events} ${again} } } } ${fragments.join(' ')}`;
}

/** Aliased by the type where fields of several types would collide. */
function fieldsText(type: string, prefix = ''): string {
  const selected = some(fieldsOf(type)).map((field) =>
    selectionOf(field, prefix === '' ? undefined : `${prefix}${field}`),
  );
  return selected.length === 0 ? '__typename' : selected.join(' ');
}

function selectionOf(field: string, alias: string | undefined): string {
  const name = alias === undefined ? field : `${alias}: ${field}`;
  return field === 'actor'
    ? `${name} { ${pick(['kind', 'id display', '__typename kind display id'])} }`
    : name;
}

function fieldsOf(typeName: string): readonly string[] {
  const type = schema.getType(typeName);
  if (!isObjectType(type) && !isInterfaceType(type)) throw new Error(`${typeName} has no fields`);
  return Object.keys(type.getFields()).filter((name) => name !== 'fullBody' && name !== 'events');
}

function allFrames(): readonly Frame[] {
  const events = [...Object.keys(EVENTS), 'future.type'].flatMap((type, at) => [
    eventOf(type, at * 2 + 1),
    eventOf(type, at * 2 + 2),
  ]);
  return [
    { kind: 'events', sessionId: SESSION_ID, events, seq: events.length },
    { kind: 'events', sessionId: SESSION_ID, events: [], seq: 7 },
    { kind: 'caughtUp', sessionId: SESSION_ID, seq: 7 },
    { kind: 'delta', callId: pick(STRINGS), offset: 12, text: pick(STRINGS) },
    { kind: 'thinking', callId: pick(STRINGS), offset: 0, text: pick(STRINGS) },
    { kind: 'slow', sessionId: SESSION_ID, seq: 2 ** 40 },
    {
      kind: 'gone',
      code: pick(['SESSION_GONE', 'SESSION_NOT_FOUND'] as const),
      message: pick(STRINGS),
      sessionId: SESSION_ID,
    },
    { kind: 'refused', sessionId: SESSION_ID, reason: pick(['foreign', 'ahead'] as const) },
  ];
}

function eventOf(type: string, seq: number): RecordedEvent {
  const fields: Readonly<Record<string, Field>> = Object.hasOwn(EVENTS, type)
    ? EVENTS[type as EventType].body
    : {}; // as: hasOwn
  const body = Object.fromEntries(
    Object.entries(fields)
      .filter(([, field]) => !field.optional || chance(0.5))
      .map(([name, field]) => [name, valueOf(field)]),
  );
  return {
    sessionId: SESSION_ID,
    seq,
    at: Math.floor(random() * 2 ** 41),
    type,
    level: pick(['user', 'progress', 'internal'] as const),
    actor: chance(0.5) ? { kind: 'system' } : { kind: 'human', id: pick(STRINGS), display: pick(STRINGS) },
    turnId: chance(0.5) ? turnIdOf(SESSION_ID, seq) : undefined,
    body: JSON.stringify(Object.keys(fields).length > 0 ? body : { any: pick(STRINGS), 2: [1, null] }),
    spilledBytes: chance(0.2) ? 40_000 : undefined,
  };
}

function valueOf(field: Field): unknown {
  switch (field.kind) {
    case 'text':
      return pick(STRINGS);
    case 'count':
      return pick([0, 1, 4_294_967_296, Number.MAX_SAFE_INTEGER]);
    case 'flag':
      return chance(0.5);
    case 'json':
      return pick([{ a: [1, 2.5, { b: null }], text: pick(STRINGS) }, [], 'text', 1e21, false]);
    case 'choice':
      return pick(must(field.choice, 'a choice has values').values);
  }
}

it('tries every type that a frame or an event can have', () => {
  const union = schema.getType('SessionFrame');
  const kinds = new Set(allFrames().map(({ kind }) => kind));

  expect(isUnionType(union) && union.getTypes().length).toBe(kinds.size);
  expect(
    isInterfaceType(EVENT) &&
      schema
        .getPossibleTypes(EVENT)
        .map(({ name }: GraphQLObjectType) => name)
        .toSorted(),
  ).toEqual([...Object.keys(EVENTS).map(typeNameOf), 'UnknownEvent'].toSorted());
});
