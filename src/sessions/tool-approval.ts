/**
 * The use case of approving or denying a tool call that waits for it: one append, after which the call is run or has its result
 * (tool-requests.ts).
 *
 * APPROVAL-3 What is decided of a call counts once, whoever decides it and however often: of a call that has moved on nothing is changed, and it
 *    is told what stands. The same request again under its idempotency key is answered as the first time (REPLAY-1).
 */
import { isDeepStrictEqual } from 'node:util';
import { IdempotencyConflict, InvalidInput } from '../kernel/fault.ts';
import { eventIdOf, type SessionId } from '../kernel/id.ts';
import { parseText } from '../kernel/parse.ts';
import { parseKey } from '../kernel/request-hash.ts';
import { wellFormedJson } from '../kernel/well-formed.ts';
import { whyNotJson } from '../journal/codec.ts';
import type { Actor, BodyOf } from '../journal/event.ts';
import { SessionNotFound } from '../journal/faults.ts';
import type { Audits } from '../journal/journal.ts';
import { type Command, decideToTheEnd } from './lifecycle.ts';
import type { Session } from './session.ts';
import { bodyOf, standing, type ToolAnswered, type ToolAnswerPorts } from './tool-standing.ts';
import { openRequests, type ToolAnswer } from './tool-requests.ts';
import { ruleOfCall, type ToolRule } from './tool-rule.ts';
import { PATTERN_CHARS_MAX } from './tool-rule-request.ts';

interface Decide {
  readonly sessionId: SessionId;
  readonly callId: string;
  readonly actor: Actor;
  readonly idempotencyKey?: string | undefined;
  readonly audit?: Audits<Session> | undefined;
}

export interface ApproveToolCall extends Decide {
  /** Run it with this, instead of what the model passed. */
  readonly input?: unknown;
  /** And let the same call run from now on in this session. */
  readonly forSession?: boolean | undefined;
}

export interface DenyToolCall extends Decide {
  /** For the model. */
  readonly reason?: string | undefined;
}

export interface ToolApproved extends ToolAnswered {
  /** That was added to the session. */
  readonly rule: ToolRule | undefined;
}

/** What a call is run with, as JSON: far below one event, far above what a person writes. */
export const CHANGED_INPUT_BYTES_MAX = 64 * 1024;
/** Why a call was denied, for the model: some paragraphs. */
const REASON_BYTES_MAX = 4 * 1024;

type Approval = Extract<ToolAnswer, { kind: 'approve' | 'deny' }>;

/** Throws InvalidInput, SessionNotFound, SessionGone, LogFull, IdempotencyConflict. */
export async function approveToolCall(
  ports: ToolAnswerPorts,
  request: ApproveToolCall,
): Promise<ToolApproved> {
  const changed = request.input === undefined ? {} : { input: parseInput(request.input) };
  if (request.forSession === true && request.input !== undefined)
    throw new InvalidInput(
      'forSession',
      'expected no changed input beside it: what is approved for the session is what the model passes.',
    );
  const asked = await requestOf(ports, request);
  const isForSession = request.forSession === true;
  const rule = isForSession && asked !== undefined ? ruleFrom(asked) : undefined;
  const passed = asked === undefined ? {} : { passed: asked.input };
  return decideCall(ports, request, { kind: 'approve', ...changed, ...passed, rule }, isForSession);
}

/** Throws InvalidInput, SessionNotFound, SessionGone, LogFull, IdempotencyConflict. */
export async function denyToolCall(ports: ToolAnswerPorts, request: DenyToolCall): Promise<ToolApproved> {
  const reason =
    request.reason === undefined ? {} : { reason: parseText('reason', request.reason, REASON_BYTES_MAX) };
  return decideCall(ports, request, { kind: 'deny', ...reason }, false);
}

async function decideCall(
  ports: ToolAnswerPorts,
  request: Decide,
  answer: Approval,
  isForSession: boolean,
): Promise<ToolApproved> {
  const { journal, organisation } = ports;
  const { sessionId, callId, actor, audit, idempotencyKey } = request;
  const key = parseKey('idempotencyKey', idempotencyKey);
  const command: Command = { kind: 'resolveTool', callId, answer, actor };
  const { replayed, firstSeq, lastSeq, state } = await journal.append(sessionId, {
    organisationId: organisation.id,
    key: key === undefined ? undefined : `decide/${key}`, // REPLAY-1: looked for before anything is decided
    audit,
    decide: (session, isFull) => decideToTheEnd(session, command, isFull),
  });
  if (replayed) return decidedAgain(ports, request, { answer, isForSession, seq: firstSeq });
  const entry = { session: state, head: lastSeq };
  if (firstSeq > lastSeq) return { ...(await standing(ports, entry, callId)), rule: undefined }; // APPROVAL-3
  const eventId = eventIdOf(sessionId, firstSeq);
  const rule = answer.kind === 'approve' ? answer.rule : undefined;
  return { ...entry, callId, applied: true, resolution: resolutionOf(answer), eventId, replayed, rule };
}

/** The first decision again, if it was the same. */
async function decidedAgain(
  { journal, sessions, organisation }: ToolAnswerPorts,
  { sessionId, callId, idempotencyKey }: Decide,
  {
    answer,
    isForSession,
    seq,
  }: { readonly answer: Approval; readonly isForSession: boolean; readonly seq: number },
): Promise<ToolApproved> {
  const said = await bodyOf<'tool.resolved'>(journal, sessionId, seq);
  const rule = said.rule as ToolRule | undefined; // as: this wrote it
  const isSame =
    said.callId === callId &&
    said.resolution === resolutionOf(answer) &&
    (rule !== undefined) === isForSession &&
    said.reason === (answer.kind === 'deny' ? answer.reason : undefined) &&
    isDeepStrictEqual(said.input, answer.kind === 'approve' ? answer.input : undefined);
  if (!isSame) throw new IdempotencyConflict(idempotencyKey ?? '');
  const entry = await sessions.get(sessionId, organisation.id);
  if (entry === undefined) throw new SessionNotFound(sessionId);
  const eventId = eventIdOf(sessionId, seq);
  return { ...entry, callId, applied: true, resolution: said.resolution, eventId, replayed: true, rule };
}

/** What is asked about the call; undefined when nothing is. Throws SessionNotFound, SessionGone. */
async function requestOf(
  { journal, sessions, organisation }: ToolAnswerPorts,
  { sessionId, callId }: Decide,
): Promise<BodyOf<'tool.requested'> | undefined> {
  const entry = await sessions.get(sessionId, organisation.id);
  if (entry === undefined) return undefined; // the append says what it is
  const open = openRequests(entry.session.turn).find((call) => call.callId === callId);
  return open?.request === undefined
    ? undefined
    : bodyOf<'tool.requested'>(journal, sessionId, open.request.seq);
}

function ruleFrom({ tool, input }: BodyOf<'tool.requested'>): ToolRule {
  const rule = ruleOfCall({ tool, input });
  if ((rule.command ?? rule.path ?? '').length > PATTERN_CHARS_MAX)
    throw new InvalidInput('forSession', 'this call is too long for a rule: approve it alone.');
  return rule;
}

function resolutionOf({ kind }: Approval): 'approved' | 'denied' {
  return kind === 'approve' ? 'approved' : 'denied';
}

/** Well-formed. Throws InvalidInput. */
function parseInput(input: unknown): unknown {
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    throw new InvalidInput('input', 'expected a JSON object: all of what the tool is to be run with.');
  const why = whyNotJson(input);
  if (why !== undefined) throw new InvalidInput('input', why);
  const kept = wellFormedJson(input);
  const bytes = Buffer.byteLength(JSON.stringify(kept));
  if (bytes > CHANGED_INPUT_BYTES_MAX)
    throw new InvalidInput(
      'input',
      `expected at most ${CHANGED_INPUT_BYTES_MAX} bytes of JSON, got ${bytes}.`,
    );
  return kept;
}
