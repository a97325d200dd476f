/**
 * Sessions: look at one, list them. What can be done to them is in schema/session-command.ts.
 *
 * SNAPSHOT-1 All that an answer says of one session is as of one place of its log, its `head`: events and turns go no further, whatever was
 *            appended while the answer was made.
 */
import { SessionGone, SessionNotFound } from '../src/journal/faults.ts';
import { cursorOf } from '../src/journal/cursor.ts';
import { Forbidden, InvalidInput } from '../src/kernel/fault.ts';
import { isId, parseId } from '../src/kernel/id.ts';
import { QUEUE_POSITION_MAX } from '../src/kernel/limit.ts';
import { limitsInForce } from '../src/sessions/session.ts';
import { EventNotFound } from '../src/sessions/faults.ts';
import type { SessionEntry } from '../src/sessions/session-store.ts';
import { AGENT_POINTS, AgentType } from './agent.ts';
import { agentsOf } from './agent-reads.ts';
import { builder } from './builder.ts';
import { connectionCost, connectionOf, firstOf, pageOf, parsePlace, placeOf } from './connection.ts';
import { type Context, permit, permitField } from './context.ts';
import { type BodyWeight, weightOf } from './body-weight.ts';
import { costing } from './cost.ts';
import { EventConnection, EventInterface, LevelEnum } from './event.ts';
import { eventPage, findEvent } from './event-list.ts';
import { LimitsType } from './limits.ts';
import { LeaseType, SessionStatusEnum } from './session-state.ts';
import { TurnConnection, TurnType, turnPage, UsageType } from './turn.ts';
import { queuePositionOf } from './queue-position.ts';
import { whyOf } from './why.ts';

/** What a session in a list, and its metadata in an answer, count as in the cost of a query: some KiB, and up to 16 KiB more. */
const SESSION_POINTS = 5;
const METADATA_POINTS = 8;
/** The queue is read once for all of them. */
const QUEUE_POINTS = 2;

export const SessionType = builder.objectRef<SessionEntry>('Session');
SessionType.implement({
  description:
    'A durable conversation with an agent, and its log. It outlives every process that works on it.',
  fields: (t) => ({
    id: t.id({ description: 'ses_ and 24 hex digits.', resolve: ({ session }) => session.id }),
    status: t.field({
      type: SessionStatusEnum,
      description: 'Where it stands.',
      resolve: ({ session }) => session.status,
    }),
    statusAt: t.field({
      type: 'DateTime',
      description: 'When the status last changed.',
      resolve: ({ session }) => session.statusAt,
    }),
    why: t.string({
      description:
        'Why it stands there, in words for a person; needs an API key, or a client token of the level INTERNAL.',
      ...costing({ points: QUEUE_POINTS }),
      resolve: async ({ session }, _args, context) => {
        permitField(context, 'session.account');
        return whyOf(session, await queuePositionOf(session, context));
      },
    }),
    queuePosition: t.int({
      nullable: true,
      description:
        "Its place among its organisation's sessions that wait for a free slot, 1: the next; null when it does not wait for one. Organisations " +
        `have slots in turn, so other organisations' sessions do not count. ${QUEUE_POSITION_MAX + 1} means: behind ${QUEUE_POSITION_MAX} or more.`,
      ...costing({ points: QUEUE_POINTS }),
      resolve: async ({ session }, _args, context) => {
        permit(context, 'session.read', session.id);
        return (await queuePositionOf(session, context)) ?? null;
      },
    }),
    createdAt: t.field({
      type: 'DateTime',
      description: 'When it was started.',
      resolve: ({ session }) => session.createdAt,
    }),
    cursor: t.field({
      type: 'Cursor',
      description: 'The end of its log: follow from here to get only what is new.',
      resolve: ({ session, head }) => cursorOf(session.id, head),
    }),
    head: t.field({
      type: 'SafeInt',
      description: 'How many events its log has.',
      resolve: ({ head }) => head,
    }),
    agent: t.field({
      type: AgentType,
      nullable: true,
      description: 'Its agent as it is now; needs an API key.',
      ...costing({ points: AGENT_POINTS }),
      resolve: ({ session }, _args, context) => {
        permit(context, 'agents.read');
        return agentsOf(context).get(session.agentId);
      },
    }),
    agentId: t.id({ description: 'Its agent.', resolve: ({ session }) => session.agentId }),
    agentRevision: t.int({
      description: 'The revision that it was started with and keeps.',
      resolve: ({ session }) => session.agentRevision,
    }),
    model: t.string({ description: 'provider/name.', resolve: ({ session }) => session.model }),
    limits: t.field({
      type: LimitsType,
      description: 'What it may use; needs an API key, or a client token of the level INTERNAL.',
      resolve: ({ session }, _args, context) => {
        permitField(context, 'session.account');
        return limitsInForce(session);
      },
    }),
    usage: t.field({
      type: UsageType,
      description:
        'Tokens used so far, by all turns, and their cost; needs an API key, or a client token of the level INTERNAL.',
      resolve: ({ session }, _args, context) => {
        permitField(context, 'session.account');
        return session.usage;
      },
    }),
    metadata: t.field({
      type: 'JSON',
      nullable: true,
      description: 'Yours, as given at the start; needs an API key.',
      ...costing({ points: METADATA_POINTS }),
      resolve: ({ session }, _args, context) => {
        permit(context, 'sessions.list');
        return session.metadata ?? null;
      },
    }),
    key: t.string({
      nullable: true,
      description: 'Your own name for it, as given at the start; needs an API key.',
      resolve: ({ session }, _args, context) => {
        permit(context, 'sessions.list');
        return session.key ?? null;
      },
    }),
    lease: t.field({
      type: LeaseType,
      nullable: true,
      description:
        'The server that has the session, and which of its brains may write; null when none has it. Needs an API key.',
      resolve: ({ session }, _args, context) => {
        permit(context, 'sessions.list');
        return session.lease ?? null;
      },
    }),
    hibernated: t.boolean({
      description: 'True when nothing runs for it and it costs storage only.',
      resolve: ({ session }) => session.hibernated,
    }),
    pendingCount: t.int({
      description: 'Messages that wait for the next turn.',
      resolve: ({ session }) => session.pending?.count ?? 0,
    }),
    turnCount: t.int({
      description: 'Turns so far, a running one included.',
      resolve: ({ session }) => session.turnCount,
    }),
    turn: t.field({
      type: TurnType,
      nullable: true,
      description: 'The running turn, or the last one.',
      resolve: ({ session }) => session.turn ?? null,
    }),
    turns: t.field({
      type: TurnConnection,
      description: 'Its turns, newest first.',
      args: {
        first: t.arg.int({ description: 'How many: 1 to 500, 50 when left out.' }),
        after: t.arg.string({ description: 'The endCursor of the page before.' }),
      },
      ...connectionCost(),
      resolve: ({ session }, args, context) => turnPage(context, session, args), // SNAPSHOT-1
    }),
    result: t.field({
      type: EventInterface,
      nullable: true,
      description: "The last turn's answer; null while it runs, and when it ended without one.",
      resolve: ({ session }, _args, context, info) => resultOf(context, session, weightOf(info)),
    }),
    events: t.field({
      type: EventConnection,
      description: 'Its log up to `head`, oldest first. To follow it live, subscribe to sessionEvents.',
      args: {
        first: t.arg.int({ description: 'How many: 1 to 500, 50 when left out.' }),
        after: t.arg({ type: 'Cursor', description: 'Only what came after this place.' }),
        level: t.arg({
          type: LevelEnum,
          description: 'The most detailed level to list; INTERNAL, everything, when left out.',
        }),
        types: t.arg.stringList({ description: 'Only these dotted types, for example agent.message.' }),
        turnId: t.arg.id({ description: 'Only those of this turn.' }),
      },
      ...connectionCost(),
      resolve: ({ session, head }, args, context, info) => {
        permit(context, 'session.read', session.id);
        const log = { sessionId: session.id, head };
        return eventPage(context, log, { ...args, first: firstOf(args) }, weightOf(info)); // SNAPSHOT-1
      },
    }),
  }),
});

const SessionConnection = connectionOf<SessionEntry>('Session', SessionType);
const LIST = 'sessions';

builder.queryFields((t) => ({
  session: t.field({
    type: SessionType,
    description: 'One session.',
    args: { id: t.arg.id({ required: true, description: 'The id of the session.' }) },
    errors: { types: [InvalidInput, Forbidden, SessionNotFound, SessionGone] },
    resolve: (_root, args, context) => {
      const id = parseId('session', args.id, 'id');
      permit(context, 'session.read', id);
      return context.sessions.get(id);
    },
  }),
  sessions: t.field({
    type: SessionConnection,
    description: 'All sessions, newest first.',
    args: {
      first: t.arg.int({ description: 'How many: 1 to 500, 50 when left out.' }),
      after: t.arg.string({ description: 'The endCursor of the page before.' }),
      status: t.arg({ type: SessionStatusEnum, description: 'Only those that stand here.' }),
      agentId: t.arg.id({ description: 'Only those of this agent.' }),
      key: t.arg.string({ description: 'Only the one that was started with this key.' }),
    },
    ...connectionCost(SESSION_POINTS),
    resolve: (_root, args, context) => {
      permit(context, 'sessions.list');
      const filter = {
        status: args.status ?? undefined,
        agentId: args.agentId ? parseId('agent', args.agentId) : undefined,
        key: args.key ?? undefined,
      };
      const before = parsePlace(LIST, args.after, (text) => isId('session', text));
      return pageOf(
        context,
        firstOf(args),
        (limit) => context.sessions.list(filter, { limit, before }),
        ({ session }) => placeOf(LIST, session),
      );
    },
  }),
}));

async function resultOf(context: Context, session: SessionEntry['session'], weight: BodyWeight) {
  permit(context, 'session.read', session.id);
  const eventId = session.turn?.resultEventId;
  if (eventId === undefined) return null;
  return findEvent(context, session.id, eventId, weight).catch((error: unknown) => {
    if (error instanceof EventNotFound) return null; // TOKEN-4: it is not there for this caller
    throw error;
  });
}
