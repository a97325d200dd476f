/**
 * The use case of answering a call of a tool that somebody outside runs: one append, which resolves the request, has the result, and lets the
 * turn go on (tool-requests.ts).
 *
 * TOOLS-3 An answer counts once, whoever gives it and however often: to a call that has moved on it changes nothing, and is told what stands.
 *    The same request again under its idempotency key is answered as the first time (REPLAY-1).
 */
import { IdempotencyConflict, InvalidInput } from '../kernel/fault.ts';
import { eventIdOf, type Organisation, type SessionId, turnIdOf } from '../kernel/id.ts';
import { parseText } from '../kernel/parse.ts';
import { parseKey } from '../kernel/request-hash.ts';
import { wellFormedJson } from '../kernel/well-formed.ts';
import { whyNotJson } from '../journal/codec.ts';
import type { Actor, BodyOf, RecordedEvent } from '../journal/event.ts';
import { SessionNotFound } from '../journal/faults.ts';
import type { Audits } from '../journal/journal.ts';
import type { ToolResolution } from '../journal/tool-request-events.ts';
import { turnNumberOf } from './call-turn.ts';
import { type Command, decideToTheEnd } from './lifecycle.ts';
import type { Session } from './session.ts';
import type { SessionEntry, SessionJournal, SessionStore } from './session-store.ts';
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

export interface ToolAnswered extends SessionEntry {
  readonly callId: string;
  /** False: the call had moved on, and nothing was done. */
  readonly applied: boolean;
  /** What stands; undefined: the call never waited for anybody, or its turn is still to run it. */
  readonly resolution: ToolResolution | undefined;
  /** Of the tool.resolved that says so. */
  readonly eventId: string | undefined;
  readonly replayed: boolean;
}

export interface ToolAnswerPorts {
  readonly organisation: Pick<Organisation, 'id'>;
  readonly journal: SessionJournal;
  readonly sessions: SessionStore;
}

/** What a tool outside may put into the conversation. It is refused and not cut: who runs it knows better what to leave out. */
export const TOOL_ANSWER_BYTES_MAX = 128 * 1024;
/** Looks through the log for what became of a call: each at SCAN_EVENTS_MAX events, together more than the longest turn has. */
const LOOKS_MAX = 32;
const LOOK_EVENTS = 100;
const TYPES = ['tool.call', 'tool.resolved'] as const;

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

/** The append of an answer has its tool.resolved, and behind it its tool.result; as: its body is of that type. */
async function bodyOf<T extends 'tool.resolved' | 'tool.result'>(
  journal: SessionJournal,
  sessionId: SessionId,
  seq: number,
): Promise<BodyOf<T>> {
  return JSON.parse((await journal.readBody(sessionId, seq)) ?? '{}') as BodyOf<T>;
}

/** What has become of a call that does not wait (any more). Throws InvalidInput when the session has no such call. */
async function standing(ports: ToolAnswerPorts, entry: SessionEntry, callId: string): Promise<ToolAnswered> {
  const { session } = entry;
  let isKnown = false;
  let eventId: string | undefined;
  let resolution: ToolResolution | undefined;
  for await (const { type, seq, body } of eventsOfTurn(ports, session, turnNumberOf(callId))) {
    const said = JSON.parse(body) as BodyOf<(typeof TYPES)[number]>; // checked when it was written; ids are whole in a preview, too
    if (said.callId !== callId) continue;
    isKnown = true;
    if (type === 'tool.resolved' && 'resolution' in said) {
      eventId = eventIdOf(session.id, seq);
      ({ resolution } = said); // an approval may come before
    }
  }
  if (!isKnown) throw new InvalidInput('callId', 'expected a tool call of this session.');
  return { ...entry, callId, applied: false, resolution, eventId, replayed: false };
}

async function* eventsOfTurn(
  { journal, sessions, organisation }: ToolAnswerPorts,
  { id, turnCount }: Session,
  number: number,
): AsyncGenerator<RecordedEvent, void> {
  if (!(number <= turnCount)) return;
  const turnId = turnIdOf(id, number);
  const turn = await sessions.turn(id, turnId, organisation.id);
  if (turn === undefined) return;
  const head = await journal.head(id);
  let after = turn.inputFromSeq;
  for (let look = 0; look < LOOKS_MAX && after < head; look += 1) {
    const range = { after, to: head, limit: LOOK_EVENTS, filter: { types: TYPES, turnId } };
    const { events, seq } = await journal.scan(id, range);
    yield* events;
    if (seq === after) return;
    after = seq;
  }
}
