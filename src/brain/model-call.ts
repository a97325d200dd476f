/**
 * What a model call asks, and what of its outcome goes into the log: the whole answer in one append, or a failure. Nothing
 * of an answer is written before it is complete, but for what people have seen of one that was cut.
 */
import { parseBody } from '../journal/codec.ts';
import type { Actor, BodyOf, NewEvent } from '../journal/event.ts';
import { Backoff } from '../kernel/backoff.ts';
import { Fault } from '../kernel/fault.ts';
import type { TurnId } from '../kernel/id.ts';
import { APPEND_EVENTS_MAX, BODY_BYTES_MAX, TOOL_CALLS_MAX } from '../kernel/limit.ts';
import type { Assignment } from '../sessions/unit-wire.ts';
import { toolCallId } from './call-id.ts';
import { type InputCheck, NO_CHECK } from './client-tools.ts';
import { compactionMessages, summaryOf, wordsOf } from './compaction.ts';
import type { Conversation } from './conversation.ts';
import { messagesOf } from './messages.ts';
import {
  type AnswerBlock,
  ModelFailure,
  type ModelFailureCode,
  PROMPT_TOO_LONG,
  type ModelAnswer,
  type ModelRequest,
  TOOL_USE_ID_CHARS_MAX,
} from './model.ts';
import { type OpenCall, SUMMARY_INVALID } from './progress.ts';

/** After this many failures of one call the turn ends with an error: minutes of an overloaded service, not hours. */
export const MODEL_ATTEMPTS_MAX = 8;
/** A service that asks for a longer pause is not waited for: it is said when to try again. Somebody may be watching. */
export const RETRY_AFTER_MS_MAX = 60_000;
/** A message of a failure in the log: enough to see what it was. */
const MESSAGE_CHARS_MAX = 500;
/** The name of a tool as the model wrote it: longer ones are no names, and the service takes none back. */
const TOOL_NAME_CHARS_MAX = 200;

export interface RetryPace {
  readonly firstMs: number;
  readonly ceilingMs: number;
  /** In [0, 1). Default: the system's. */
  readonly random?: (() => number) | undefined;
}
export const RETRY_PACE: RetryPace = { firstMs: 500, ceilingMs: 20_000 };

type ToolBlock = Extract<AnswerBlock, { kind: 'tool' }>;

const AGENT: Actor = { kind: 'agent' };
const SYSTEM: Actor = { kind: 'system' };

/** Only a person can mend these. */
const NEVER_RETRIED: ReadonlySet<ModelFailureCode> = new Set<ModelFailureCode>([
  'MODEL_SPEND_LIMIT',
  'MODEL_NO_CREDIT',
  'MODEL_ACCOUNT_ON_HOLD',
]);

export function requestOf(
  assignment: Assignment,
  conversation: Conversation,
  call: OpenCall,
  contextWindow: number,
): ModelRequest {
  const { contextTokens, repairs } = conversation;
  const { prompt, plan, fallback } = assignment;
  const { refusedAsTooLong, badSummaries, model } = call;
  const compacts = call.purpose === 'compaction';
  const messages = messagesOf(conversation, {
    model,
    plain: compacts && (repairs.plain || call.plain),
  });
  const room = { contextWindow, contextTokens, prompt, refusedAsTooLong, badSummaries };
  return {
    callId: call.callId,
    plan: model === undefined || fallback === undefined ? plan : fallback,
    system: prompt,
    messages: compacts ? compactionMessages(messages, room) : messages,
    tools: conversation.tools,
    // Costs the cached messages, which a request that was cut to fit does not find anyway.
    ...(compacts && refusedAsTooLong > 0 ? { toolChoice: 'none' as const } : {}),
  };
}

/** The events of an answer, in the order in which the model wrote it, and its end. */
export function answerEvents(
  turnId: TurnId,
  callId: string,
  answer: ModelAnswer,
  check: InputCheck = NO_CHECK,
): readonly NewEvent[] {
  const declined = answer.stopReason === 'refusal'; // its text is taken back, and its tool calls are not to be made
  const blocks = answer.blocks.filter(
    (block) => !(block.kind === 'text' && block.text.trim() === '') && !(declined && block.kind === 'tool'),
  );
  const calls = blocks.filter(({ kind }) => kind === 'tool').length;
  const spare = APPEND_EVENTS_MAX - 1 - (blocks.length - calls);
  const room = check === NO_CHECK ? spare : roomBesideRequests(spare);
  const level = calls > 0 ? 'progress' : 'user';
  const events: NewEvent[] = [];
  let index = 0;
  for (const block of blocks) {
    if (block.kind === 'tool') {
      if (index < room) {
        const left = index === room - 1 ? calls - room : 0;
        const body = toolCall(callId, index, block, { left, check });
        events.push({ type: 'tool.call', actor: AGENT, turnId, body });
      }
      index += 1;
    } else if (block.kind === 'text') {
      const body = { callId, text: block.text, ...(declined ? { retracted: true } : {}) };
      events.push({ type: 'agent.message', actor: AGENT, turnId, level, body });
    } else {
      const body = block.kind === 'redacted' ? { text: '', redacted: block.data } : thinkingOf(block);
      events.push({ type: 'agent.thinking', actor: AGENT, turnId, body: { callId, ...body } });
    }
  }
  const { category, explanation } = answer.refusal ?? {};
  const refused = {
    ...(category === undefined ? {} : { refusalCategory: category }),
    ...(explanation === undefined ? {} : { refusalExplanation: explanation }),
  };
  return [...events, completedEvent(turnId, callId, answer.stopReason, { ...refused, ...idOf(answer) })];
}

/** What the control plane may add to each call that a rule is about: that it waits, or that it is denied and its result. */
const ADDED_EVENTS_MAX = 2;

/** Calls for which there is room where it adds so much to each of the first TOOL_CALLS_MAX. */
function roomBesideRequests(spare: number): number {
  const all = (1 + ADDED_EVENTS_MAX) * TOOL_CALLS_MAX;
  return spare <= all
    ? Math.floor(spare / (1 + ADDED_EVENTS_MAX))
    : spare - ADDED_EVENTS_MAX * TOOL_CALLS_MAX;
}

/** The events of a summary; a failure when the model wrote none. `charsBefore` is how much it stands for. */
export function summaryEvents(
  turnId: TurnId,
  callId: string,
  answer: ModelAnswer,
  throughSeq: number,
  charsBefore = 0,
): readonly NewEvent[] {
  const summary = summaryOf(answer, charsBefore);
  if (summary === undefined) {
    const message = `The model wrote no summary of the conversation (it stopped for ${answer.stopReason}).`;
    const { requestId } = answer;
    const details = { type: SUMMARY_INVALID, retriable: true, requestId, wrote: wordsOf(answer) };
    throw new ModelFailure('MODEL_ANSWER_INVALID', message, details);
  }
  return [
    { type: 'conversation.compacted', actor: SYSTEM, turnId, body: { callId, summary, throughSeq } },
    completedEvent(turnId, callId, answer.stopReason, idOf(answer)),
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
  const { code, retriable, retryAfterMs = 0 } = failure;
  const tooLong = failure.type === PROMPT_TOO_LONG || code === 'MODEL_CONTEXT_FULL';
  const compacts = call.purpose === 'compaction';
  if (tooLong && !compacts) return completedEvent(turnId, call.callId, PROMPT_TOO_LONG, idOf(failure));
  // A compaction that is too long is made again with less, at once.
  if (tooLong) return retriedEvent(turnId, call, failure, 0, PROMPT_TOO_LONG);
  if (!retriable || NEVER_RETRIED.has(code) || failures >= MODEL_ATTEMPTS_MAX)
    return errorEvent(turnId, failure, failure.message);
  if (retryAfterMs > RETRY_AFTER_MS_MAX) {
    const message = failure.message.slice(0, MESSAGE_CHARS_MAX - 60);
    return errorEvent(
      turnId,
      failure,
      `${message} The service asks to try again in ${spanOf(retryAfterMs)}.`,
    );
  }
  const backoff = new Backoff({
    firstMs: pace.firstMs * 2 ** call.failures,
    ceilingMs: pace.ceilingMs,
    heldMs: Infinity,
    random: pace.random,
  });
  const waitMs = retryAfterMs > 0 ? retryAfterMs : backoff.nextMs(0);
  return retriedEvent(turnId, call, failure, waitMs, failure.type);
}

/** Another attempt is due after `waitMs`. */
export function retriedEvent(
  turnId: TurnId,
  call: OpenCall,
  failure: ModelFailure,
  waitMs: number,
  code: string,
): NewEvent {
  const body = {
    callId: call.callId,
    attempt: call.failures + 1,
    attemptMax: MODEL_ATTEMPTS_MAX,
    waitMs,
    code,
    message: failure.message.slice(0, MESSAGE_CHARS_MAX),
    ...(failure.wrote === undefined ? {} : { wrote: failure.wrote }),
    ...idOf(failure),
  };
  return { type: 'model.retried', actor: SYSTEM, turnId, body };
}

/** Of an answer that the journal refuses: the same call would be answered and paid again. */
export function unwritable(reason: string): ModelFailure {
  const message = `The answer of the model cannot be kept (${reason}) Ask for it in another form.`;
  return new ModelFailure('MODEL_ANSWER_INVALID', message, { type: 'unwritable', retriable: true });
}

/** The failure is final. */
export function errorEvent(turnId: TurnId, failure: ModelFailure, message: string): NewEvent {
  const { code, retriable } = failure;
  const body = { code, message: message.slice(0, MESSAGE_CHARS_MAX), retriable, ...idOf(failure) };
  return { type: 'error.model', actor: SYSTEM, turnId, body };
}

export function completedEvent(
  turnId: TurnId,
  callId: string,
  stopReason: string,
  more: Partial<BodyOf<'model.completed'>> = {},
): NewEvent {
  return { type: 'model.completed', actor: SYSTEM, turnId, body: { callId, stopReason, ...more } };
}

/** A call as it can be kept: one that cannot be made says why, and has that for its result. */
function toolCall(
  callId: string,
  index: number,
  block: ToolBlock,
  { left, check }: { readonly left: number; readonly check: InputCheck },
): BodyOf<'tool.call'> {
  const body = {
    callId: toolCallId(callId, index),
    modelCallId: callId,
    toolUseId: block.toolUseId.slice(0, TOOL_USE_ID_CHARS_MAX),
    tool: block.tool.slice(0, TOOL_NAME_CHARS_MAX).toWellFormed(),
    input: block.input,
  };
  const bound = defectOf(block, index, left);
  const fault = unkeepable(body);
  if (fault !== undefined) {
    const cut = `The call was not made: its input cannot be kept (${fault}). Make it with a smaller or simpler input.`;
    return { ...body, input: {}, defect: bound ?? cut };
  }
  const defect = bound ?? check(body.tool, body.input); // TOOLS-2
  return defect === undefined ? body : { ...body, defect };
}

/** Why the call is not made; the last one that is kept tells of those that are `left` out. */
function defectOf({ defect }: ToolBlock, index: number, left: number): string | undefined {
  const isTooMany = index >= TOOL_CALLS_MAX;
  if (defect !== undefined && left === 0) return defect;
  if (!isTooMany && left === 0) return undefined;
  const bound = isTooMany ? `${TOOL_CALLS_MAX} calls` : `${APPEND_EVENTS_MAX - 1} parts`;
  const reason = defect ?? `The call was not made: an answer can have at most ${bound} at once.`;
  const more = left > 0 ? ` ${left} more calls are not shown here.` : '';
  return `${reason}${more} Make the rest in the next answer.`;
}

/** Why the journal would refuse the body of a tool.call. */
function unkeepable(body: BodyOf<'tool.call'>): string | undefined {
  try {
    parseBody('tool.call', body);
    const bytes = Buffer.byteLength(JSON.stringify(body));
    return bytes > BODY_BYTES_MAX ? `it has ${bytes} bytes, ${BODY_BYTES_MAX} are the most` : undefined;
  } catch (error) {
    if (error instanceof Fault) return error.message;
    throw error;
  }
}

function thinkingOf({ text, signature }: Extract<AnswerBlock, { kind: 'thinking' }>) {
  return { text, ...(signature === undefined ? {} : { signature }) };
}

function idOf({ requestId }: { readonly requestId?: string | undefined }) {
  return requestId === undefined ? {} : { requestId };
}

/** A wait in words. */
function spanOf(ms: number): string {
  const seconds = Math.ceil(ms / 1_000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.ceil(minutes / 60)} h`;
}
