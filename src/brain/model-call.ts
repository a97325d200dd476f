/**
 * One attempt of one model call, and what of it goes into the log: the whole answer in one append, or a failure. Nothing
 * is written before the answer is complete.
 */
import type { Actor, NewEvent } from '../journal/event.ts';
import { TOOL_CALLS_MAX } from '../kernel/limit.ts';
import type { Clock } from '../kernel/clock.ts';
import { Backoff } from '../kernel/backoff.ts';
import type { TurnId } from '../kernel/id.ts';
import type { Assignment } from '../sessions/unit-wire.ts';
import { purposeOf, toolCallId } from './call-id.ts';
import { compactionMessages } from './compaction.ts';
import type { Conversation } from './conversation.ts';
import { DeltaPost } from './delta-post.ts';
import { messagesOf } from './messages.ts';
import { ModelFailure, PROMPT_TOO_LONG, type Model, type ModelAnswer, type ModelRequest } from './model.ts';
import type { OpenCall } from './progress.ts';
import { TOOLBOX } from './toolbox.ts';
import type { Unit } from './unit.ts';

/** After this many failures of one call the turn ends with an error: minutes of an overloaded service, not hours. */
export const MODEL_ATTEMPTS_MAX = 8;
/** A service that asks for a longer pause is not waited for that long: somebody may be watching. */
export const RETRY_AFTER_MS_MAX = 60_000;
/** A message of a failure in the log: enough to see what it was. */
const MESSAGE_CHARS_MAX = 500;

export interface RetryPace {
  readonly firstMs: number;
  readonly ceilingMs: number;
  /** In [0, 1). Default: the system's. */
  readonly random?: (() => number) | undefined;
}
export const RETRY_PACE: RetryPace = { firstMs: 500, ceilingMs: 20_000 };

const AGENT: Actor = { kind: 'agent' };
const SYSTEM: Actor = { kind: 'system' };

/** Asks the model; rejects as Model.answer does. */
export async function attempt(
  ports: { readonly model: Model; readonly unit: Unit; readonly clock: Clock },
  request: ModelRequest,
  signal: AbortSignal,
): Promise<ModelAnswer> {
  const deltas = new DeltaPost(ports, request.callId);
  try {
    return await ports.model.answer(request, signal, {
      text: (piece) => {
        if (purposeOf(request.callId) === 'answer') deltas.push(piece);
      },
      thinking: () => undefined,
    });
  } finally {
    await deltas.close();
  }
}

export function requestOf(
  assignment: Assignment,
  conversation: Conversation,
  call: OpenCall,
  contextWindow: number,
): ModelRequest {
  const messages = messagesOf(conversation);
  const { contextTokens } = conversation;
  const { prompt } = assignment;
  const { refusedAsTooLong } = call;
  const room = { contextWindow, contextTokens, prompt, refusedAsTooLong };
  const compacts = call.purpose === 'compaction';
  return {
    callId: call.callId,
    plan: assignment.plan,
    system: prompt,
    messages: compacts ? compactionMessages(messages, room) : messages,
    tools: TOOLBOX,
  };
}

/** The events of an answer, in the order in which the model wrote it, and its end. */
export function answerEvents(turnId: TurnId, callId: string, answer: ModelAnswer): readonly NewEvent[] {
  const events: NewEvent[] = [];
  const declined = answer.stopReason === 'refusal'; // its tool calls are not to be made
  const usesTools = !declined && answer.blocks.some((block) => block.kind === 'tool');
  let tools = 0;
  for (const block of answer.blocks) {
    if (block.kind === 'thinking') {
      const signed = block.signature === undefined ? {} : { signature: block.signature };
      events.push({
        type: 'agent.thinking',
        actor: AGENT,
        turnId,
        body: { callId, text: block.text, ...signed },
      });
    } else if (block.kind === 'redacted') {
      events.push({
        type: 'agent.thinking',
        actor: AGENT,
        turnId,
        body: { callId, text: '', redacted: block.data },
      });
    } else if (block.kind === 'text') {
      if (block.text.trim() === '') continue;
      const level = usesTools ? 'progress' : 'user';
      events.push({ type: 'agent.message', actor: AGENT, turnId, level, body: { callId, text: block.text } });
    } else if (usesTools && tools < TOOL_CALLS_MAX) {
      const { toolUseId, tool, input } = block;
      const body = { callId: toolCallId(callId, tools), modelCallId: callId, toolUseId, tool, input };
      events.push({ type: 'tool.call', actor: AGENT, turnId, body });
      tools += 1;
    }
  }
  return [...events, completedEvent(turnId, callId, answer.stopReason)];
}

/** The events of a summary; a failure when the model wrote none. */
export function summaryEvents(
  turnId: TurnId,
  callId: string,
  answer: ModelAnswer,
  throughSeq: number,
): readonly NewEvent[] {
  const texts = answer.blocks.map((block) => (block.kind === 'text' ? block.text : ''));
  const summary = texts.join('').trim();
  if (summary === '') {
    const type = 'empty_summary';
    throw new ModelFailure('MODEL_UNAVAILABLE', 'The model wrote no summary of the conversation.', {
      type,
      retriable: true,
    });
  }
  return [
    { type: 'conversation.compacted', actor: SYSTEM, turnId, body: { callId, summary, throughSeq } },
    completedEvent(turnId, callId, answer.stopReason),
  ];
}

/** What to write about a failure: a compaction or another attempt is due, or it is final. */
export function failureEvent(
  turnId: TurnId,
  call: OpenCall,
  failure: ModelFailure,
  pace: RetryPace,
): NewEvent {
  const failures = call.failures + 1;
  const { code, type, message, retriable, retryAfterMs } = failure;
  const tooLong = type === PROMPT_TOO_LONG;
  if (tooLong && call.purpose === 'answer') return completedEvent(turnId, call.callId, PROMPT_TOO_LONG);
  // A compaction that is too long is made again with less, at once.
  if (!(retriable || tooLong) || failures >= MODEL_ATTEMPTS_MAX) {
    const body = { code, message: message.slice(0, MESSAGE_CHARS_MAX), retriable };
    return { type: 'error.model', actor: SYSTEM, turnId, body };
  }
  const backoff = new Backoff({
    firstMs: pace.firstMs * 2 ** call.failures,
    ceilingMs: pace.ceilingMs,
    heldMs: Infinity,
    random: pace.random,
  });
  const waitMs = tooLong ? 0 : Math.min(retryAfterMs ?? backoff.nextMs(0), RETRY_AFTER_MS_MAX);
  return {
    type: 'model.retried',
    actor: SYSTEM,
    turnId,
    body: {
      callId: call.callId,
      attempt: failures,
      attemptMax: MODEL_ATTEMPTS_MAX,
      waitMs,
      code: type,
      message: message.slice(0, MESSAGE_CHARS_MAX),
    },
  };
}

/** The key of what failureEvent writes, after the call's id. */
export function whatOf(event: NewEvent, failures: number): string {
  if (event.type === 'error.model') return 'failed';
  return event.type === 'model.completed' ? 'completed' : `retried/${failures}`;
}

/** What to write instead of an answer that the journal refuses: the same call would be answered and paid again. */
export function unwritableEvent(turnId: TurnId, reason: string): NewEvent {
  const message = `The answer of the model cannot be kept (${reason}) Ask for it in another form.`;
  const body = {
    code: 'MODEL_ANSWER_INVALID',
    message: message.slice(0, MESSAGE_CHARS_MAX),
    retriable: true,
  };
  return { type: 'error.model', actor: SYSTEM, turnId, body };
}

function completedEvent(turnId: TurnId, callId: string, stopReason: string): NewEvent {
  return { type: 'model.completed', actor: SYSTEM, turnId, body: { callId, stopReason } };
}
