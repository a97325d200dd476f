/**
 * Following a session: history after a cursor, then what happens, in frames. A reader that cannot be served gets a frame
 * that says why, and completion; never an error that a client library would retry for ever.
 */
import { cursorOf } from '../src/journal/cursor.ts';
import type { DeltaFrame } from '../src/journal/draft.ts';
import { PAGE_EVENTS_MAX } from '../src/kernel/limit.ts';
import { builder } from './builder.ts';
import { costing } from './cost.ts';
import { EventInterface, LevelEnum } from './event.ts';
import { SessionGoneType } from './fault.ts';
import { type CursorRefusal, type Frame, FRAME_TYPE } from './frame.ts';
import { frameCutOf } from './frame-cut.ts';
import { openFrames } from './frame-source.ts';

type FrameOf<K extends Frame['kind']> = Extract<Frame, { kind: K }>;

const EventBatch = builder.objectRef<FrameOf<'events'>>('EventBatch').implement({
  description:
    'Events in order, up to 100, fewer where they are large; none when the filter left all of them out for a while.',
  fields: (t) => ({
    events: t.field({
      type: [EventInterface],
      ...costing({ items: PAGE_EVENTS_MAX }),
      description: 'Oldest first.',
      resolve: ({ events }) => [...events],
    }),
    cursor: t.field({
      type: 'Cursor',
      description: 'Resume from here. It also moves over events that the filter left out.',
      resolve: ({ sessionId, seq }) => cursorOf(sessionId, seq),
    }),
  }),
});

const CaughtUp = builder.objectRef<FrameOf<'caughtUp'>>('CaughtUp').implement({
  description: 'History ends here; what follows happens now. Sent once.',
  fields: (t) => ({
    cursor: t.field({
      type: 'Cursor',
      description: 'Resume from here.',
      resolve: ({ sessionId, seq }) => cursorOf(sessionId, seq),
    }),
  }),
});

function deltaOf(name: string, what: string, description: string) {
  return builder.objectRef<DeltaFrame>(name).implement({
    description,
    fields: (t) => ({
      callId: t.exposeString('callId', { description: `The model call that writes the ${what}.` }),
      offset: t.field({
        type: 'SafeInt',
        description: `Where the text goes in the ${what}, in UTF-16 units; 0 starts over.`,
        resolve: ({ offset }) => offset,
      }),
      text: t.exposeString('text', { description: 'The piece.' }),
    }),
  });
}
const MessageDelta = deltaOf(
  'MessageDelta',
  'message',
  'A piece of a message that the model is writing. Ephemeral: it may be lost, and the agent.message event replaces all of it.',
);
const ThinkingDelta = deltaOf(
  'ThinkingDelta',
  'thinking',
  'A piece of what the model thinks before it answers or calls a tool. Ephemeral, as a MessageDelta is; agent.thinking has all of it.',
);

const SlowConsumer = builder.objectRef<FrameOf<'slow'>>('SlowConsumer').implement({
  description: 'You did not read fast enough; the subscription ends here. Nothing is lost.',
  fields: (t) => ({
    resumeFrom: t.field({
      type: 'Cursor',
      description: 'Subscribe again from here.',
      resolve: ({ sessionId, seq }) => cursorOf(sessionId, seq),
    }),
  }),
});

// as: a frame has what its fields show
const SessionGone = SessionGoneType as unknown as ReturnType<typeof builder.objectRef<FrameOf<'gone'>>>;

const CursorRefusalEnum = builder.enumType('CursorRefusal', {
  description: 'What is wrong with a cursor.',
  values: {
    FOREIGN: { value: 'foreign', description: 'It is not a cursor of this session.' },
    AHEAD: {
      value: 'ahead',
      description: 'It is behind the end of the log: the log was taken back to an older state.',
    },
  } as const satisfies Record<string, { value: CursorRefusal; description: string }>,
});

const CursorRefused = builder.objectRef<FrameOf<'refused'>>('CursorRefused').implement({
  description: 'The log cannot be read from that cursor. The subscription ends.',
  fields: (t) => ({
    reason: t.field({
      type: CursorRefusalEnum,
      description: 'What is wrong with it.',
      resolve: ({ reason }) => reason,
    }),
    earliest: t.field({
      type: 'Cursor',
      description: 'Everything that there is comes after this.',
      resolve: ({ sessionId }) => cursorOf(sessionId, 0),
    }),
  }),
});

const SessionFrame = builder.unionType('SessionFrame', {
  description: 'What a follower of a session is sent. Ignore a member that you do not know.',
  types: [EventBatch, CaughtUp, MessageDelta, ThinkingDelta, SlowConsumer, SessionGone, CursorRefused],
  resolveType: ({ kind }) => FRAME_TYPE[kind],
});

const EventFilterInput = builder.inputType('EventFilter', {
  description: 'What to see of a log. Cursors move over the rest.',
  fields: (t) => ({
    level: t.field({
      type: LevelEnum,
      description: 'The most detailed level; INTERNAL, everything, when left out.',
    }),
    types: t.stringList({ description: 'Only these dotted types, for example agent.message.' }),
    turnId: t.id({ description: 'Only those of this turn.' }),
  }),
});

builder.subscriptionField('sessionEvents', (t) =>
  t.field({
    type: SessionFrame,
    description: 'Follows a session across turns, restarts and hibernation: each event once, in order.',
    args: {
      sessionId: t.arg.id({ required: true, description: 'The session to follow.' }),
      after: t.arg({
        type: 'Cursor',
        description: 'Only what came after this place; everything when left out.',
      }),
      filter: t.arg({ type: EventFilterInput, description: 'What to see of it.' }),
      deltas: t.arg.boolean({
        defaultValue: false,
        description: 'Also send messages, and thinking, piece by piece while the model writes them.',
      }),
    },
    subscribe: (_root, args, context, { schema, operation, fragments }) =>
      openFrames(context, args, frameCutOf(schema, [operation, ...Object.values(fragments)])),
    resolve: (frame) => frame,
  }),
);
