/**
 * What to do next, decided from the log alone. Running and resuming are the same thing: a brain that has just started
 * and one that has just finished a step both ask this table. The first row that applies is taken.
 *
 *   the log says                                             the step
 *   ---------------------------------------------------------------------------------------------------------
 *   archived                                                 end: there is nothing to do here, ever
 *   no turn runs, messages wait (queued)                     begin the turn
 *   no turn runs                                             wait
 *   -- a turn runs --
 *   somebody asked to stop it, tool calls are open           cancel them and write their results
 *   somebody asked to stop it                                finish: canceled or interrupted
 *   the model failed for good                                finish: error
 *   a model call has started and not ended                   make that call, after the wait of its last failure
 *   tool calls of the last answer wait for somebody outside  run the others; when there are none, wait
 *   tool calls of the last answer have no result             run them; the hands answer a call that ran before from
 *                                                            what they kept, so nothing runs twice
 *   the request was too long, also after a compaction        give up: error.model
 *   too many model calls                                     finish: max_turns
 *   the context is nearly full, or it overflowed, or the     start a call that compacts
 *   service refuses something in it, also after a repair,
 *   or very much has happened since the last compaction
 *   a message joined that the model has not seen             start a model call
 *   no answer in this turn yet, or none since compacting     start a model call
 *   the last answer asked the user                           finish: needs_input
 *   the last answers were cut off with nothing to keep, or   give up: error.model
 *   ended with nothing said, or paused too often, or had
 *   only calls that cannot be made
 *   the last answer used tools, was cut off (also before     start a model call
 *   the tool call that it stopped for), paused, or ended
 *   with nothing said; or the model is not to be had
 *   the model declined, and there is a fallback              start a model call with the fallback
 *   the model declined                                       finish: error
 *   otherwise (end_turn, stop_sequence, a later word)        finish: completed
 */
import { must } from '../kernel/assert.ts';
import { eventIdOf } from '../kernel/id.ts';
import { TURN_MODEL_CALLS_MAX } from '../kernel/limit.ts';
import type { TurnOutcome } from '../journal/event-catalog.ts';
import type { Failure, Turn } from '../sessions/session.ts';
import { modelCallId, type Purpose } from './call-id.ts';
import { compactAt } from './compaction.ts';
import type { Conversation } from './conversation.ts';
import {
  type AnswerItem,
  cutOff,
  MODEL_UNAVAILABLE,
  type OpenToolCall,
  REQUEST_REFUSED,
  saidNothing,
} from './item.ts';
import type { ToolSpec } from './model.ts';
import { type OpenCall, overflowed } from './progress.ts';

/** What is shown of a failure, the service's words included. */
const FAILURE_CHARS_MAX = 1_000;

export type Step =
  | { readonly kind: 'end' }
  | { readonly kind: 'wait' }
  | { readonly kind: 'beginTurn'; readonly number: number }
  | {
      readonly kind: 'startCall';
      readonly turn: Turn;
      readonly callId: string;
      readonly inputToSeq: number;
      /** Where the model is offered other tools from here on. */
      readonly tools?: readonly ToolSpec[] | undefined;
      /** Where it goes to the fallback. */
      readonly model?: string | undefined;
    }
  | { readonly kind: 'callModel'; readonly turn: Turn; readonly call: OpenCall }
  | { readonly kind: 'runTools'; readonly turn: Turn; readonly calls: readonly OpenToolCall[] }
  | { readonly kind: 'cancelTools'; readonly turn: Turn; readonly calls: readonly OpenToolCall[] }
  /** The turn can only end: error.model says why, and the next step finishes it. */
  | { readonly kind: 'giveUp'; readonly turn: Turn; readonly failure: Failure }
  | {
      readonly kind: 'finish';
      readonly turn: Turn;
      readonly outcome: TurnOutcome;
      readonly resultEventId?: string | undefined;
      readonly failure?: Failure | undefined;
    };

/** Answers of nothing in a row: the first one is told so and mends its ways, a second one would go on for ever. */
const EMPTY_CUTS_MAX = 2;
const ANSWER_CUT: Failure = {
  code: 'MODEL_ANSWER_CUT',
  message: 'The answers of the model were cut off before anything was said. Ask for a smaller step.',
};
/** Answers in a row that end with nothing said: the first one is asked to go on. */
const SILENCES_MAX = 2;
const SAID_NOTHING: Failure = {
  code: 'MODEL_SAID_NOTHING',
  message:
    'The model ended its turn without saying anything, also after it was asked to go on. Ask again, or put it in another way.',
};
/** Answers in a row of whose calls none can be made: some models need a second word, none a sixth. */
const DEFECTS_MAX = 5;
const CALLS_BROKEN: Failure = {
  code: 'MODEL_ANSWER_INVALID',
  message:
    'The model wrote tool calls again and again that cannot be made. Ask for a smaller step, or use another model.',
};
/** Pauses in a row: a service pauses a long answer some times, not for ever. */
const PAUSES_MAX = 10;
const PAUSED: Failure = {
  code: 'MODEL_ANSWER_CUT',
  message: 'The model paused its answer again and again. Send a message to go on, or ask for a smaller step.',
};
/** Requests in a row that were too long: the first one is answered by a compaction, which a second one shows to be in vain. */
const OVERFLOWS_MAX = 2;
const CONTEXT_FULL: Failure = {
  code: 'MODEL_CONTEXT_FULL',
  message:
    "The conversation does not fit into the model's context, also after it was condensed. Send less at once, or start a new session.",
};

export interface StepOptions {
  /** Tokens of one answer. */
  readonly outputTokensMax?: number | undefined;
  /** The name of the model that takes over when the session's own declines or is not to be had. */
  readonly fallback?: string | undefined;
}

/** Pure. `contextWindow` is the model's, in tokens. */
export function nextStep(conversation: Conversation, contextWindow: number, options: StepOptions = {}): Step {
  const { session } = conversation;
  if (session.status === 'archived') return { kind: 'end' };
  if (session.status === 'queued') return { kind: 'beginTurn', number: session.turnCount + 1 };
  if (session.status !== 'running') return { kind: 'wait' };
  const { outputTokensMax = 0, fallback } = options;
  const room = { compactAt: compactAt(contextWindow, outputTokensMax), fallback };
  return inTurn(conversation, must(session.turn, 'a running session has a turn'), room);
}

/** What the steps of a turn depend on beside the log. */
interface Room {
  readonly compactAt: number;
  readonly fallback: string | undefined;
}

function inTurn(conversation: Conversation, turn: Turn, room: Room): Step {
  const { progress } = conversation;
  const calls = conversation.openTools();
  if (turn.stopping !== undefined) {
    return calls.length > 0
      ? { kind: 'cancelTools', turn, calls }
      : { kind: 'finish', turn, outcome: turn.stopping };
  }
  if (progress.failure !== undefined)
    return { kind: 'finish', turn, outcome: 'error', failure: progress.failure };
  if (progress.open !== undefined) return { kind: 'callModel', turn, call: progress.open };
  const mine = calls.filter(({ callId }) => !isRequested(turn, callId));
  if (mine.length > 0) return { kind: 'runTools', turn, calls: mine };
  if (calls.length > 0) return { kind: 'wait' };
  return afterAnswer(conversation, turn, room);
}

function isRequested({ openTools = [] }: Turn, callId: string): boolean {
  return openTools.some((call) => call.callId === callId && call.request !== undefined);
}

function afterAnswer(conversation: Conversation, turn: Turn, room: Room): Step {
  const { last, askedSeq, emptyCuts, silences, defects, pauses, overflows, onFallback } =
    conversation.progress;
  const finish = (outcome: TurnOutcome, seq: number | undefined): Step => {
    const resultEventId = seq === undefined ? undefined : eventIdOf(conversation.session.id, seq);
    return { kind: 'finish', turn, outcome, resultEventId };
  };
  const giveUp = (failure: Failure): Step => ({ kind: 'giveUp', turn, failure });

  if (overflows >= OVERFLOWS_MAX) return giveUp(CONTEXT_FULL);
  if (turn.inputToSeq > turn.consumedToSeq || last === undefined) return startCall(conversation, turn, room);
  if (askedSeq !== undefined) return finish('needs_input', askedSeq);
  if (emptyCuts >= EMPTY_CUTS_MAX) return giveUp(ANSWER_CUT);
  if (silences >= SILENCES_MAX) return giveUp(SAID_NOTHING);
  if (defects >= DEFECTS_MAX) return giveUp(CALLS_BROKEN);
  if (pauses >= PAUSES_MAX) return giveUp(PAUSED);
  if (goesOn(last)) return startCall(conversation, turn, room);
  if (last.stopReason !== 'refusal') return finish('completed', last.messageSeq);
  if (room.fallback !== undefined && !onFallback) return startCall(conversation, turn, room);
  return { kind: 'finish', turn, outcome: 'error', failure: refusalFailure(last) };
}

/** Whether another call follows the answer. */
function goesOn(last: AnswerItem): boolean {
  const { stopReason } = last;
  if (last.tools.length > 0 || cutOff(last) || overflowed(last) || saidNothing(last)) return true;
  return stopReason === 'pause_turn' || stopReason === MODEL_UNAVAILABLE || stopReason === REQUEST_REFUSED;
}

/** The next call of the turn: one that answers, or one that compacts where that has to come first. */
function startCall(conversation: Conversation, turn: Turn, room: Room): Step {
  const { calls, last, onFallback } = conversation.progress;
  if (calls >= TURN_MODEL_CALLS_MAX) return { kind: 'finish', turn, outcome: 'max_turns' };
  const isFull = conversation.contextTokens >= room.compactAt || conversation.isLong;
  const full = conversation.condensable && isFull;
  const compacts = full || overflowed(last) || last?.stopReason === REQUEST_REFUSED;
  const purpose: Purpose = compacts ? 'compaction' : 'answer';
  const another = onFallback || last?.stopReason === 'refusal';
  return {
    kind: 'startCall',
    turn,
    callId: modelCallId(turn.number, calls + 1, purpose),
    inputToSeq: compacts ? turn.consumedToSeq : turn.inputToSeq, // a compaction sees nothing new
    tools: conversation.toolsToSay(purpose),
    model: another ? room.fallback : undefined,
  };
}

function refusalFailure({ refusal }: AnswerItem): Failure {
  const category = refusal?.category === undefined ? '' : ` (${refusal.category})`;
  const explanation = refusal?.explanation === undefined ? '' : ` ${refusal.explanation}`;
  const message = `The model declined to go on with this${category}.${explanation} Your message is left out of the conversation from here on: put it in another way.`;
  return { code: 'MODEL_REFUSED', message: message.slice(0, FAILURE_CHARS_MAX) };
}
