/**
 * The use case of answering a call of a tool that somebody outside runs: one append, which resolves the request, has the result, and lets the
 * turn go on (tool-requests.ts).
 *
 * TOOLS-3 An answer counts once, whoever gives it and however often: to a call that has moved on it changes nothing, and is told what stands.
 *    The same request again under its idempotency key is answered as the first time (REPLAY-1).
 */
import { IdempotencyConflict, InvalidInput } from '../kernel/fault.ts';
import { eventIdOf, type SessionId } from '../kernel/id.ts';
import { parseText } from '../kernel/parse.ts';
import { parseKey } from '../kernel/request-hash.ts';
import { wellFormedJson } from '../kernel/well-formed.ts';
import { whyNotJson } from '../journal/codec.ts';
import type { Actor } from '../journal/event.ts';
import { SessionNotFound } from '../journal/faults.ts';
import type { Audits } from '../journal/journal.ts';
import { type Command, decideToTheEnd } from './lifecycle.ts';
import type { Session } from './session.ts';
import { bodyOf, standing, type ToolAnswered, type ToolAnswerPorts } from './tool-standing.ts';
import type { ToolAnswer } from './tool-requests.ts';

export interface AnswerToolCall {
  readonly sessionId: SessionId;
  readonly callId: string;
  /** Exactly one of these three. */
  readonly text?: string | undefined;
  readonly json?: unknown;
  /** Why it failed, for the model. */
  readonly error?: string | undefined;
  readonly actor: Actor;
  readonly idempotencyKey?: string | undefined;
  readonly audit?: Audits<Session> | undefined;
}

/** What a tool outside may put into the conversation. It is refused and not cut: who runs it knows better what to leave out. */
export const TOOL_ANSWER_BYTES_MAX = 128 * 1024;
type Answer = Extract<ToolAnswer, { kind: 'answer' | 'fail' }>;

/** Throws InvalidInput, SessionNotFound, SessionGone, LogFull, IdempotencyConflict. */
export async function answerToolCall(ports: ToolAnswerPorts, request: AnswerToolCall): Promise<ToolAnswered> {
  const { journal, organisation } = ports;
  const { sessionId, callId, actor, audit, idempotencyKey } = request;
  const asked = parseKey('idempotencyKey', idempotencyKey);
  const key = asked === undefined ? undefined : `answer/${asked}`;
  const answer = parseAnswer(request);
  if (answer instanceof InvalidInput && key === undefined) throw answer;
  const { replayed, firstSeq, lastSeq, state } = await journal.append(sessionId, {
    organisationId: organisation.id,
    key, // REPLAY-1: looked for before anything is decided
    audit,
    decide(session, isFull) {
      if (answer instanceof InvalidInput) return { kind: 'refuse', fault: answer };
      const command: Command = { kind: 'resolveTool', callId, answer, actor };
      return decideToTheEnd(session, command, isFull);
    },
  });
  if (replayed) return answeredAgain(ports, request, { answer, seq: firstSeq });
  const entry = { session: state, head: lastSeq };
  if (firstSeq > lastSeq || answer instanceof InvalidInput) return standing(ports, entry, callId); // TOOLS-3
  const resolution = answer.kind === 'answer' ? 'answered' : 'failed';
  return { ...entry, callId, applied: true, resolution, eventId: eventIdOf(sessionId, firstSeq), replayed };
}

/** What is to be written, or why it cannot be: a replay is answered whatever would be wrong with it now. */
function parseAnswer({ text, json, error }: AnswerToolCall): Answer | InvalidInput {
  try {
    const given = [text, json, error].filter((one) => one !== undefined);
    if (given.length !== 1) throw new InvalidInput('input', 'give exactly one of text, json and error.');
    if (error !== undefined)
      return { kind: 'fail', reason: parseText('error', error, TOOL_ANSWER_BYTES_MAX) };
    const output = text === undefined ? textOf(json) : text.toWellFormed();
    const bytes = Buffer.byteLength(output);
    if (bytes > TOOL_ANSWER_BYTES_MAX) {
      const field = text === undefined ? 'json' : 'text';
      throw new InvalidInput(field, `expected at most ${TOOL_ANSWER_BYTES_MAX} bytes, got ${bytes}.`);
    }
    return { kind: 'answer', output };
  } catch (fault) {
    if (fault instanceof InvalidInput) return fault;
    throw fault;
  }
}

function textOf(json: unknown): string {
  const why = whyNotJson(json);
  if (why !== undefined) throw new InvalidInput('json', why);
  return JSON.stringify(wellFormedJson(json));
}

/** The first answer again, if it was the same. */
async function answeredAgain(
  ports: ToolAnswerPorts,
  { sessionId, callId, idempotencyKey }: AnswerToolCall,
  { answer, seq }: { readonly answer: Answer | InvalidInput; readonly seq: number },
): Promise<ToolAnswered> {
  const { journal, sessions, organisation } = ports;
  const resolved = await bodyOf<'tool.resolved'>(journal, sessionId, seq);
  const result = await bodyOf<'tool.result'>(journal, sessionId, seq + 1);
  const isSame =
    !(answer instanceof InvalidInput) &&
    resolved.callId === callId &&
    result.output === (answer.kind === 'answer' ? answer.output : answer.reason) &&
    resolved.resolution === (answer.kind === 'answer' ? 'answered' : 'failed');
  if (!isSame) throw new IdempotencyConflict(idempotencyKey ?? '');
  const entry = await sessions.get(sessionId, organisation.id);
  if (entry === undefined) throw new SessionNotFound(sessionId);
  const { resolution } = resolved;
  return { ...entry, callId, applied: true, resolution, eventId: eventIdOf(sessionId, seq), replayed: true };
}
