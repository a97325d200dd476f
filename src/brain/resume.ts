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
 *   tool calls of the last answer have no result             run them; the hands answer a call that ran before from
 *                                                            what they kept, so nothing runs twice
 *   the request was too long, also after a compaction        give up: error.model
 *   too many model calls                                     finish: max_turns
 *   the context is nearly full, or it overflowed             start a call that compacts
 *   a message joined that the model has not seen             start a model call
 *   no answer in this turn yet, or none since compacting     start a model call
 *   the last answer asked the user                           finish: needs_input
 *   the last answers were cut off with nothing to keep       give up: error.model
 *   the last answer used tools, was cut off (also before     start a model call
 *   the tool call that it stopped for) or paused
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
import { type AnswerItem, cutOff, type OpenToolCall } from './item.ts';
import { PROMPT_TOO_LONG } from './model.ts';
import type { OpenCall } from './progress.ts';

export type Step =
  | { readonly kind: 'end' }
  | { readonly kind: 'wait' }
  | { readonly kind: 'beginTurn'; readonly number: number }
  | { readonly kind: 'startCall'; readonly turn: Turn; readonly callId: string; readonly inputToSeq: number }
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

const REFUSED: Failure = {
  code: 'MODEL_REFUSED',
  message: 'The model declined to go on with this. Put it in another way, or start a new session.',
};

/** Answers of nothing in a row: the first one is told so and mends its ways, a second one would go on for ever. */
const EMPTY_CUTS_MAX = 2;
const ANSWER_CUT: Failure = {
  code: 'MODEL_ANSWER_CUT',
  message: 'The answers of the model were cut off before anything was said. Ask for a smaller step.',
};
/** Requests in a row that were too long: the first one is answered by a compaction, which a second one shows to be in vain. */
const OVERFLOWS_MAX = 2;
const CONTEXT_FULL: Failure = {
  code: 'MODEL_CONTEXT_FULL',
  message:
    "The conversation does not fit into the model's context, also after it was condensed. Send less at once, or start a new session.",
};

/** Pure. `contextWindow` is the model's, in tokens. */
export function nextStep(conversation: Conversation, contextWindow: number): Step {
  const { session } = conversation;
  if (session.status === 'archived') return { kind: 'end' };
  if (session.status === 'queued') return { kind: 'beginTurn', number: session.turnCount + 1 };
  if (session.status !== 'running') return { kind: 'wait' };
  return inTurn(conversation, must(session.turn, 'a running session has a turn'), contextWindow);
}

function inTurn(conversation: Conversation, turn: Turn, contextWindow: number): Step {
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
  if (calls.length > 0) return { kind: 'runTools', turn, calls };
  return afterAnswer(conversation, turn, contextWindow);
}

function afterAnswer(conversation: Conversation, turn: Turn, contextWindow: number): Step {
  const { calls, last, askedSeq, emptyCuts, overflows } = conversation.progress;
  const start = (purpose: Purpose): Step => {
    if (calls >= TURN_MODEL_CALLS_MAX) return { kind: 'finish', turn, outcome: 'max_turns' };
    const full = conversation.condensable && conversation.contextTokens >= compactAt(contextWindow);
    if (purpose === 'answer' && (full || overflowed(last))) return start('compaction');
    const inputToSeq = purpose === 'answer' ? turn.inputToSeq : turn.consumedToSeq; // a compaction sees nothing new
    return { kind: 'startCall', turn, callId: modelCallId(turn.number, calls + 1, purpose), inputToSeq };
  };
  const finish = (outcome: TurnOutcome, seq: number | undefined): Step => {
    const resultEventId = seq === undefined ? undefined : eventIdOf(conversation.session.id, seq);
    return { kind: 'finish', turn, outcome, resultEventId };
  };

  if (overflows >= OVERFLOWS_MAX) return { kind: 'giveUp', turn, failure: CONTEXT_FULL };
  if (turn.inputToSeq > turn.consumedToSeq || last === undefined) return start('answer');
  if (askedSeq !== undefined) return finish('needs_input', askedSeq);
  if (emptyCuts >= EMPTY_CUTS_MAX) return { kind: 'giveUp', turn, failure: ANSWER_CUT };
  if (last.tools.length > 0 || cutOff(last) || overflowed(last) || last.stopReason === 'pause_turn')
    return start('answer');
  if (last.stopReason === 'refusal') return { kind: 'finish', turn, outcome: 'error', failure: REFUSED };
  return finish('completed', last.messageSeq);
}

function overflowed(answer: AnswerItem | undefined): boolean {
  return answer?.stopReason === 'model_context_window_exceeded' || answer?.stopReason === PROMPT_TOO_LONG;
}
