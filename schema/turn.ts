/** Turns: from taking up the waiting messages to the done signal. */
import { TURN_OUTCOMES } from '../src/journal/event-catalog.ts';
import { SessionGone, SessionNotFound } from '../src/journal/faults.ts';
import { Forbidden, InvalidInput } from '../src/kernel/fault.ts';
import { parseId, type TurnId } from '../src/kernel/id.ts';
import { TOOL_CALLS_MAX } from '../src/kernel/limit.ts';
import { costOf } from '../src/sessions/cost.ts';
import type { Failure, Session, Turn, Usage } from '../src/sessions/session.ts';
import { tokensOf } from '../src/sessions/session.ts';
import { TurnNotFound } from '../src/sessions/faults.ts';
import { openRequests } from '../src/sessions/tool-requests.ts';
import { builder } from './builder.ts';
import { costing } from './cost.ts';
import { ToolRequestType } from './tool-request.ts';
import { connectionOf, type FirstAfter, firstOf, pageOf } from './connection.ts';
import { type Context, permit, permitField } from './context.ts';
import { choiceEnum } from './event-choice.ts';

export const UsageType = builder.objectRef<Usage>('Usage').implement({
  description: 'Tokens, as the model service counts them, and what they cost.',
  fields: (t) => ({
    inputTokens: t.field({
      type: 'SafeInt',
      description: 'Input that was not cached.',
      resolve: (usage) => usage.inputTokens,
    }),
    outputTokens: t.field({
      type: 'SafeInt',
      description: 'Output, thinking included.',
      resolve: (usage) => usage.outputTokens,
    }),
    cacheCreationInputTokens: t.field({
      type: 'SafeInt',
      description: 'Input written to the prompt cache.',
      resolve: (usage) => usage.cacheCreationInputTokens,
    }),
    cacheReadInputTokens: t.field({
      type: 'SafeInt',
      description: 'Input read from the prompt cache.',
      resolve: (usage) => usage.cacheReadInputTokens,
    }),
    totalTokens: t.field({
      type: 'SafeInt',
      description: 'All four added up: what limits count.',
      resolve: tokensOf,
    }),
    costMicroUsd: t.field({
      type: 'SafeInt',
      nullable: true,
      description:
        'What these tokens cost in micro-dollars (1000000 is one US dollar), each call at the price of its day; null: the price of a call is not known.',
      resolve: (usage) => costOf(usage) ?? null,
    }),
    pricedCostMicroUsd: t.field({
      type: 'SafeInt',
      nullable: true,
      description:
        'What the calls cost whose price is known, in micro-dollars: the least that all of them cost, and what the limit counts. null: no price is known of any.',
      resolve: (usage) => usage.costMicroUsd ?? costOf(usage) ?? null,
    }),
    complete: t.exposeBoolean('complete', {
      description: 'False when a stream was cut: the counts are lower bounds.',
    }),
  }),
});

const FailureType = builder.objectRef<Failure>('Failure').implement({
  description: 'Why a turn failed.',
  fields: (t) => ({
    code: t.exposeString('code', { description: 'A constant to switch on.' }),
    message: t.exposeString('message', { description: 'One sentence that says what to do.' }),
  }),
});

const TurnState = builder.enumType('TurnState', {
  description: 'Whether a turn is over.',
  values: {
    RUNNING: { value: 'running', description: 'The brain works on it.' },
    COMPLETED: { value: 'completed', description: 'It is over; the outcome says how it ended.' },
  } as const satisfies Record<string, { value: Turn['state']; description: string }>,
});

export const TurnType = builder.objectRef<Turn>('Turn').implement({
  description: 'A piece of work: some messages in, one outcome out.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'trn_ and 24 hex digits; events of the turn carry it.' }),
    number: t.exposeInt('number', { description: '1 for the first turn of the session.' }),
    state: t.field({ type: TurnState, description: 'Whether it is over.', resolve: ({ state }) => state }),
    startedAt: t.field({
      type: 'DateTime',
      description: 'When the messages were taken up.',
      resolve: ({ startedAt }) => startedAt,
    }),
    completedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When it ended.',
      resolve: ({ completedAt }) => completedAt ?? null,
    }),
    outcome: t.field({
      type: choiceEnum({ name: 'TurnOutcome', values: TURN_OUTCOMES }),
      nullable: true,
      description: 'How it ended; null while it runs.',
      resolve: ({ outcome }) => outcome ?? null,
    }),
    failure: t.field({
      type: FailureType,
      nullable: true,
      description: 'Set when the outcome is ERROR.',
      resolve: ({ failure }) => failure ?? null,
    }),
    requests: t.field({
      type: [ToolRequestType],
      description: 'Tool calls of it that wait for somebody outside, oldest first.',
      ...costing({ items: TOOL_CALLS_MAX }),
      resolve: (turn) => openRequests(turn),
    }),
    resultEventId: t.id({
      nullable: true,
      description: 'The agent.message that is the answer.',
      resolve: ({ resultEventId }) => resultEventId ?? null,
    }),
    modelCalls: t.int({
      description: 'Model calls so far; needs an API key, or a client token of the level INTERNAL.',
      resolve: ({ modelCalls }, _args, context) => {
        permitField(context, 'session.account');
        return modelCalls;
      },
    }),
    usage: t.field({
      type: UsageType,
      description:
        'Tokens so far, and their cost; needs an API key, or a client token of the level INTERNAL.',
      resolve: ({ usage }, _args, context) => {
        permitField(context, 'session.account');
        return usage;
      },
    }),
  }),
});

export const TurnConnection = connectionOf<Turn>('Turn', TurnType);

/** Turns of a session up to its last one as `session` has it, newest first; the cursor is the turn's number (SNAPSHOT-1). */
export function turnPage(context: Context, session: Session, args: FirstAfter) {
  const before = args.after ? Number(/^turn-([1-9][0-9]{0,14})$/.exec(args.after)?.[1]) : undefined;
  if (Number.isNaN(before))
    throw new InvalidInput(
      'after',
      'this cursor is not one of this list; leave it out to read from the start.',
    );
  return pageOf(
    context,
    firstOf(args),
    async (limit) => {
      const last = Math.min(before ?? Infinity, session.turnCount + 1);
      const turns = await context.sessions.turns(session.id, { limit, before: last });
      return turns.map((turn) => (turn.number === session.turn?.number ? session.turn : turn));
    },
    ({ number }) => `turn-${number}`,
  );
}

builder.queryField('turn', (t) =>
  t.field({
    type: TurnType,
    description: 'One turn of a session.',
    args: {
      sessionId: t.arg.id({ required: true, description: 'The session it belongs to.' }),
      id: t.arg.id({ required: true, description: 'The id of the turn, as sendMessage answered it.' }),
    },
    errors: { types: [InvalidInput, Forbidden, SessionNotFound, SessionGone, TurnNotFound] },
    resolve: (_root, args, context) => {
      const sessionId = parseId('session', args.sessionId, 'sessionId');
      permit(context, 'session.read', sessionId);
      const id: TurnId = parseId('turn', args.id, 'id');
      return context.sessions.turn(sessionId, id);
    },
  }),
);
