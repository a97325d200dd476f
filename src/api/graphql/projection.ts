/**
 * The quick path of sessionEvents: a selection is compiled once into functions that write a frame's JSON text straight
 * from what is stored. The body is spliced in as its stored text. Promise: for every frame the text is the same, byte for
 * byte, as JSON.stringify of what `execute` answers; what cannot be promised is Unprojectable and goes through `execute`.
 */
import { type FieldNode, type GraphQLObjectType, type GraphQLSchema, isObjectType } from 'graphql';
import { bodyBytesOf, bodyFieldsOf, typeNameOf } from '../../../schema/event-value.ts';
import { type Frame, FRAME_TYPE } from '../../../schema/frame.ts';
import { isoOf } from '../../../schema/scalar.ts';
import { cursorOf } from '../../journal/cursor.ts';
import type { DeltaFrame } from '../../journal/draft.ts';
import { EVENTS, type Level } from '../../journal/event-catalog.ts';
import { type Actor, type RecordedEvent } from '../../journal/event.ts';
import type { Field } from '../../journal/event-field.ts';
import { eventIdOf } from '../../kernel/id.ts';
import { collect, type Fragments, subSelections, Unprojectable, withoutDirectives } from './selection.ts';

type Body = Readonly<Record<string, unknown>>;
/** Writes a value as JSON text; `body` is the event's, parsed once for all of its typed fields. */
type Write<T> = (value: T, body: Body) => string;
/** Text that is the same for every value, or how to write it. */
type Part<T> = string | Write<T>;
type FrameOf<K extends Frame['kind']> = Extract<Frame, { kind: K }>;
type FrameParts = { readonly [K in Frame['kind']]: Readonly<Record<string, Part<FrameOf<K>>>> };

interface Compiling {
  readonly schema: GraphQLSchema;
  readonly fragments: Fragments;
}

/** `root` is the only field of the operation. Throws Unprojectable; so does what it answers, for a body not as the table has it. */
export function compileProjection(
  schema: GraphQLSchema,
  fragments: Fragments,
  root: FieldNode,
): (frame: Frame) => string {
  const compiling: Compiling = { schema, fragments };
  const write = {
    events: frameWriter(compiling, 'events', root),
    caughtUp: frameWriter(compiling, 'caughtUp', root),
    delta: frameWriter(compiling, 'delta', root),
    thinking: frameWriter(compiling, 'thinking', root),
    slow: frameWriter(compiling, 'slow', root),
    gone: frameWriter(compiling, 'gone', root),
    refused: frameWriter(compiling, 'refused', root),
  };
  return (frame) => {
    const writer = write[frame.kind] as Write<Frame>; // as: the key is the frame's kind
    return writer(frame, NO_BODY);
  };
}

const NO_BODY: Body = {};

const DELTA: Readonly<Record<string, Write<DeltaFrame>>> = {
  callId: ({ callId }) => JSON.stringify(callId),
  offset: ({ offset }) => String(offset),
  text: ({ text }) => JSON.stringify(text),
};

const FRAMES: FrameParts = {
  events: { cursor: ({ sessionId, seq }) => quoted(cursorOf(sessionId, seq)) },
  caughtUp: { cursor: ({ sessionId, seq }) => quoted(cursorOf(sessionId, seq)) },
  delta: DELTA,
  thinking: DELTA,
  slow: { resumeFrom: ({ sessionId, seq }) => quoted(cursorOf(sessionId, seq)) },
  gone: {
    code: ({ code }) => quoted(code),
    message: ({ message }) => JSON.stringify(message),
    sessionId: ({ sessionId }) => JSON.stringify(sessionId),
  },
  refused: {
    reason: ({ reason }) => quoted(reason.toUpperCase()),
    earliest: ({ sessionId }) => quoted(cursorOf(sessionId, 0)),
  },
};

const LEVEL: Readonly<Record<Level, string>> = {
  user: '"USER"',
  progress: '"PROGRESS"',
  internal: '"INTERNAL"',
};

/** Fields of every event. `fullBody` is read from elsewhere, so it is not here. */
const EVENT: Readonly<Record<string, Write<RecordedEvent>>> = {
  id: ({ sessionId, seq }) => quoted(eventIdOf(sessionId, seq)),
  seq: ({ seq }) => String(seq),
  cursor: ({ sessionId, seq }) => quoted(cursorOf(sessionId, seq)),
  at: ({ at }) => quoted(isoOf(at)),
  type: ({ type }) => JSON.stringify(type),
  level: ({ level }) => LEVEL[level],
  turnId: ({ turnId }) => (turnId === undefined ? 'null' : quoted(turnId)),
  body: ({ body }) => body,
  bodyTruncated: ({ spilledBytes }) => String(spilledBytes !== undefined),
  bodyBytes: (event) => String(bodyBytesOf(event)),
};

const ACTOR: Readonly<Record<string, Write<Actor>>> = {
  kind: ({ kind }) => quoted(kind.toUpperCase()),
  id: ({ id }) => (id === undefined ? 'null' : JSON.stringify(id)),
  display: ({ display }) => (display === undefined ? 'null' : JSON.stringify(display)),
};

function frameWriter<K extends Frame['kind']>(
  compiling: Compiling,
  kind: K,
  root: FieldNode,
): Write<FrameOf<K>> {
  const typeName = FRAME_TYPE[kind];
  return objectWriter(compiling, typeName, [root], (name, nodes): Part<FrameOf<K>> | undefined => {
    if (kind !== 'events' || name !== 'events') return FRAMES[kind][name];
    const write: Write<never> = eventsWriter(compiling, nodes);
    return write as Part<FrameOf<K>>; // as: K is 'events' here
  });
}

/** All types are compiled at once, so that what cannot be projected is known before the first frame. */
function eventsWriter(compiling: Compiling, nodes: readonly FieldNode[]): Write<FrameOf<'events'>> {
  const unknown = eventWriter(compiling, '', nodes);
  const writers = new Map(Object.keys(EVENTS).map((type) => [type, eventWriter(compiling, type, nodes)]));
  return ({ events }) => {
    let text = '';
    for (const event of events) {
      const written = (writers.get(event.type) ?? unknown)(event, NO_BODY);
      text = text === '' ? written : `${text},${written}`;
    }
    return `[${text}]`;
  };
}

function eventWriter(compiling: Compiling, type: string, nodes: readonly FieldNode[]): Write<RecordedEvent> {
  let parses = false;
  const write = objectWriter<RecordedEvent>(compiling, typeNameOf(type), nodes, (name, of) => {
    if (name === 'actor') {
      const actor = objectWriter<Actor>(compiling, 'Actor', of, (field) => ACTOR[field]);
      return (event) => actor(event.actor, NO_BODY);
    }
    if (name === 'type' && type !== '') return quoted(type);
    const field = bodyFieldsOf(type)?.[name];
    if (field === undefined) return EVENT[name];
    parses = true;
    return (_event, body) => typed(field, body[name]);
  });
  if (!parses) return write;
  return (event) => write(event, JSON.parse(event.body) as Body); // as: the codec wrote an object
}

/** A typed field as its GraphQL type would serialise it; whatever that type would refuse or convert is left to it. */
function typed(field: Field, value: unknown): string {
  if (value === undefined || value === null) {
    if (field.optional) return 'null';
    throw new Unprojectable();
  }
  switch (field.kind) {
    case 'text':
      if (typeof value === 'string') return JSON.stringify(value);
      break;
    case 'count':
      if (typeof value === 'number') return JSON.stringify(value);
      break;
    case 'flag':
      if (typeof value === 'boolean') return String(value);
      break;
    case 'json':
      return JSON.stringify(value);
    case 'choice':
      if (typeof value === 'string' && field.choice?.values.includes(value) === true)
        return quoted(value.toUpperCase());
      break;
  }
  throw new Unprojectable();
}

/** An object of the type, its constant text folded together. */
function objectWriter<T>(
  { schema, fragments }: Compiling,
  typeName: string,
  nodes: readonly FieldNode[],
  partOf: (name: string, nodes: readonly FieldNode[]) => Part<T> | undefined,
): Write<T> {
  const type: GraphQLObjectType = objectType(schema, typeName);
  const heads: string[] = [];
  const writes: Write<T>[] = [];
  let text = '{';
  let comma = '';
  for (const [key, fields] of collect(schema, fragments, type, subSelections(nodes), withoutDirectives)) {
    const name = fields[0]?.name.value ?? '';
    const part = name === '__typename' ? quoted(typeName) : partOf(name, fields);
    if (part === undefined) throw new Unprojectable();
    text += `${comma}${JSON.stringify(key)}:`;
    comma = ',';
    if (typeof part === 'string') text += part;
    else {
      heads.push(text);
      writes.push(part);
      text = '';
    }
  }
  const end = `${text}}`;
  return (value, body) => {
    let written = '';
    for (let at = 0; at < writes.length; at += 1) written += `${heads[at]}${writes[at]?.(value, body)}`;
    return written + end;
  };
}

function objectType(schema: GraphQLSchema, name: string): GraphQLObjectType {
  const type = schema.getType(name);
  if (!isObjectType(type)) throw new Unprojectable();
  return type;
}

/** For text that needs no escapes: ids, cursors, names. */
function quoted(text: string): string {
  return `"${text}"`;
}
