/**
 * The life of a session: state x command -> events. Pure; the fold (sessions/fold.ts) turns the events into the next state.
 * VERDICT is the specification; docs/session-lifecycle.md is printed from it.
 *
 * idle            Nothing runs; storage only once hibernated. A message queues it.
 * queued          A message waits and no turn runs. A brain is wanted; it begins the turn.
 * running         A turn runs. A brain is wanted. Messages join it, wait, or end it, by their mode.
 * awaiting_input  The turn ended with a question. As idle; the next message is the answer.
 * parked          Also awaiting_input: the turn is open, and all its open tool calls wait for somebody outside (tool-requests.ts). Nothing runs;
 *                 the answer to a call goes on with the same turn. Messages join it, wait, or end it, by their mode.
 * failed          The turn ended with an error. As idle; a message tries again, once the cause is mended.
 * archived        Closed, read only, for ever: after `archive`, or when the log is full (`archive` is then still written: decideToTheEnd).
 */
import type { TurnOutcome } from '../journal/event-catalog.ts';
import type { Actor, BodyOf, NewEvent } from '../journal/event.ts';
import { LogFull } from '../journal/faults.ts';
import type { Concern, Decision } from '../journal/journal.ts';
import { TURN_SECONDS_MAX } from '../kernel/limit.ts';
import { InvalidInput } from '../kernel/fault.ts';
import { seqOfEventId } from '../kernel/id.ts';
import { requestHash } from '../kernel/request-hash.ts';
import { type EndTurn, endTurn, type LoseBrain, loseBrain } from './brain-end.ts';
import { usedUp, warningsOf } from './budget.ts';
import { turnOfCall } from './call-turn.ts';
import { type ClaimRequest, claimRequest, releaseRequest, type ReleaseRequest } from './claims.ts';
import { addUsage, usageOf } from './cost.ts';
import { type GivenLimits, limitsAfter } from './limits.ts';
import { InputPending, SessionArchived, TurnOver } from './faults.ts';
import { type Send, send } from './spoken.ts';
import { type Failure, limitsInForce, type Session, SESSION_STATUSES } from './session.ts';
import {
  expireTools,
  type ExpireTools,
  type ResolveTool,
  resolveTool,
  openRequests,
  waitsInTurn,
  withRequests,
} from './tool-requests.ts';
import {
  abortedEvents,
  completedEvent,
  hibernatedEvent,
  nextTurn,
  resultEvents,
  type Said,
  startedEvent,
  SYSTEM,
} from './turn-events.ts';

export type Command =
  | Send
  /** `isKeyed`: the request has an idempotency key, and leaves it in the log also when there is nothing to do. */
  | { readonly kind: 'cancel'; readonly actor: Actor; readonly isKeyed?: boolean | undefined }
  | { readonly kind: 'archive'; readonly actor: Actor }
  /** The brain takes up the waiting messages. */
  | { readonly kind: 'beginTurn' }
  /** The brain writes what happened in the running turn. */
  | { readonly kind: 'record'; readonly events: readonly NewEvent[] }
  /** The brain ends the running turn. */
  | {
      readonly kind: 'completeTurn';
      readonly outcome: TurnOutcome;
      readonly resultEventId?: string | undefined;
      readonly failure?: Failure | undefined;
      readonly said?: Said | undefined;
    }
  /** The gateway counts what a model call used, also of a call whose turn is over by now. */
  | { readonly kind: 'meter'; readonly usage: BodyOf<'model.usage'> }
  /** Somebody changes what the session may use; `isKeyed` as for a cancel. */
  | {
      readonly kind: 'changeLimits';
      readonly given: GivenLimits;
      readonly actor: Actor;
      readonly isKeyed?: boolean | undefined;
    }
  | { readonly kind: 'takeLease'; readonly owner: string }
  /** The supervisor, once the brain has ended: brain-end.ts. */
  | EndTurn
  | LoseBrain
  /** Somebody outside answers a tool call that waits, or nobody did in time: tool-requests.ts. */
  | ResolveTool
  | ExpireTools
  | ClaimRequest
  | ReleaseRequest
  /** The owner has nothing left that runs for the session: who has room may have it. Nothing happens when another one has the lease. */
  | { readonly kind: 'releaseLease'; readonly owner: string }
  /** `processes`: what still runs in the background and ends with the hands. */
  | { readonly kind: 'hibernate'; readonly processes?: number | undefined };

type CancelCommand = Extract<Command, { kind: 'cancel' }>;
type Verdict = 'yes' | 'nothing' | 'refuse';
/** A status, and `parked` beside that which it is shown as. */
export const PHASES = [...SESSION_STATUSES, 'parked'] as const;
export type Phase = (typeof PHASES)[number];

/** What each command means in each status: decide by it, do nothing (and that is fine), or refuse. */
// biome-ignore format: a table is read by its columns
export const VERDICT: Readonly<Record<Command['kind'], Readonly<Record<Phase, Verdict>>>> = {
  send:         { idle: 'yes',     queued: 'yes',     running: 'yes',     awaiting_input: 'yes',     parked: 'yes',    failed: 'yes',     archived: 'refuse' },
  cancel:       { idle: 'nothing', queued: 'yes',     running: 'yes',     awaiting_input: 'nothing', parked: 'yes',    failed: 'nothing', archived: 'nothing' },
  archive:      { idle: 'yes',     queued: 'yes',     running: 'yes',     awaiting_input: 'yes',     parked: 'yes',    failed: 'yes',     archived: 'nothing' },
  beginTurn:    { idle: 'nothing', queued: 'yes',     running: 'nothing', awaiting_input: 'nothing', parked: 'nothing',failed: 'nothing', archived: 'refuse' },
  record:       { idle: 'refuse',  queued: 'refuse',  running: 'yes',     awaiting_input: 'refuse',  parked: 'refuse', failed: 'refuse',  archived: 'refuse' },
  completeTurn: { idle: 'refuse',  queued: 'refuse',  running: 'yes',     awaiting_input: 'refuse',  parked: 'refuse', failed: 'refuse',  archived: 'refuse' },
  meter:        { idle: 'yes',     queued: 'yes',     running: 'yes',     awaiting_input: 'yes',     parked: 'yes',    failed: 'yes',     archived: 'nothing' },
  changeLimits: { idle: 'yes',     queued: 'yes',     running: 'yes',     awaiting_input: 'yes',     parked: 'yes',    failed: 'yes',     archived: 'refuse' },
  takeLease:    { idle: 'nothing', queued: 'yes',     running: 'yes',     awaiting_input: 'nothing', parked: 'nothing',failed: 'nothing', archived: 'nothing' },
  endTurn:      { idle: 'yes',     queued: 'nothing', running: 'yes',     awaiting_input: 'yes',     parked: 'yes',    failed: 'yes',     archived: 'nothing' },
  loseBrain:    { idle: 'yes',     queued: 'yes',     running: 'yes',     awaiting_input: 'yes',     parked: 'yes',    failed: 'yes',     archived: 'nothing' },
  hibernate:    { idle: 'yes',     queued: 'nothing', running: 'nothing', awaiting_input: 'yes',     parked: 'yes',    failed: 'yes',     archived: 'nothing' },
  resolveTool:  { idle: 'nothing', queued: 'nothing', running: 'yes',     awaiting_input: 'nothing', parked: 'yes',     failed: 'nothing', archived: 'nothing' },
  expireTools:  { idle: 'nothing', queued: 'nothing', running: 'yes',     awaiting_input: 'nothing', parked: 'yes',     failed: 'nothing', archived: 'nothing' },
  claimRequest: { idle: 'yes',     queued: 'yes',     running: 'yes',     awaiting_input: 'yes',     parked: 'yes',    failed: 'yes',     archived: 'refuse' },
  releaseRequest:{idle: 'nothing', queued: 'nothing', running: 'yes',     awaiting_input: 'yes',     parked: 'yes',    failed: 'nothing', archived: 'nothing' },
  releaseLease: { idle: 'yes',     queued: 'yes',     running: 'yes',     awaiting_input: 'yes',     parked: 'yes',    failed: 'yes',     archived: 'nothing' },
};

const NOTHING: Decision = { kind: 'nothing' };

export function decide(session: Session, command: Command): Decision {
  const verdict = VERDICT[command.kind][phaseOf(session)];
  if (verdict === 'nothing') return command.kind === 'cancel' ? nothingToCancel(session, command) : NOTHING;
  if (verdict === 'refuse') {
    const fault = session.status === 'archived' ? new SessionArchived(session.id) : new TurnOver();
    return { kind: 'refuse', fault };
  }
  switch (command.kind) {
    case 'send':
      return send(session, command);
    case 'cancel':
      return cancel(session, command);
    case 'archive':
      return archive(session, command.actor);
    case 'beginTurn':
      return beginTurn(session);
    case 'record':
      return record(session, command.events);
    case 'completeTurn':
      return completeTurn(session, command);
    case 'meter':
      return meter(session, command.usage);
    case 'changeLimits':
      return changeLimits(session, command);
    case 'takeLease':
      return append({
        type: 'brain.started',
        actor: SYSTEM,
        body: { epoch: session.epoch + 1, owner: command.owner },
      });
    case 'endTurn':
      return endTurn(session, command);
    case 'loseBrain':
      return loseBrain(session, command);
    case 'resolveTool':
      return resolveTool(session, command);
    case 'expireTools':
      return expireTools(session, command);
    case 'claimRequest':
      return claimRequest(session, command);
    case 'releaseRequest':
      return releaseRequest(session, command);
    case 'releaseLease':
      return session.lease?.owner === command.owner ? append(hibernatedEvent(session, 0)) : NOTHING;
    case 'hibernate':
      if (session.lease === undefined) return NOTHING;
      return append(hibernatedEvent(session, command.processes ?? 0));
  }
}

/**
 * The same for a log that may have ended (JOURNAL-6). Such a session is closed, and what it has left stays until somebody archives it; all
 * else is answered as the append was that met the end.
 */
export function decideToTheEnd(session: Session, command: Command, isFull: boolean): Decision {
  if (isFull && command.kind === 'archive') return append(archivedEvent(command.actor));
  const decision = decide(session, command);
  if (isFull && decision.kind === 'refuse' && decision.fault instanceof SessionArchived)
    return { kind: 'refuse', fault: new LogFull(session.id) };
  return decision;
}

function phaseOf(session: Session): Phase {
  return waitsInTurn(session) ? 'parked' : session.status;
}

/** Milliseconds that a turn may run, by the clock of whoever watches it. */
export function turnMsMax(session: Session): number {
  return Math.min(limitsInForce(session).turnSeconds ?? TURN_SECONDS_MAX, TURN_SECONDS_MAX) * 1000;
}

/** Whether a brain should be running for this session. */
export function wantsBrain(session: Session): boolean {
  return session.status === 'queued' || session.status === 'running';
}

/** Whether a supervisor has to look after it: it wants a brain, or holds a lease that somebody must end. */
export function wantsSupervisor(session: Session): boolean {
  return wantsBrain(session) || session.lease !== undefined;
}

/** Whom a hint of an append concerns that has left this record. What a closed session has left may be with any server. */
export function concernOf({ lease, status }: Session): Concern | undefined {
  if (lease !== undefined) return { kind: 'owner', owner: lease.owner };
  return status === 'archived' || status === 'queued' || status === 'running'
    ? undefined
    : { kind: 'nobody' };
}

function cancel(session: Session, command: CancelCommand): Decision {
  const { actor } = command;
  if (session.status === 'queued')
    return append(startedEvent(session), completedEvent(session, 'canceled', nextTurn(session)));
  if (session.turn?.stopping !== undefined) return nothingToCancel(session, command);
  const asked: NewEvent = { type: 'turn.cancel_requested', actor, turnId: session.turn?.id, body: {} };
  if (!waitsInTurn(session)) return append(asked);
  return append(asked, ...resultEvents(session), completedEvent(session, 'canceled')); // nobody runs who would
}

/** REPLAY-2: asked again with the same key it finds that, and not a later turn. An archived session has no later turn. */
function nothingToCancel(session: Session, { actor, isKeyed }: CancelCommand): Decision {
  if (isKeyed !== true || session.status === 'archived') return NOTHING;
  return append({ type: 'turn.cancel_ignored', actor, turnId: session.turn?.id, body: {} });
}

/** A turn that runs ends first, with what its tools do. */
function archive(session: Session, actor: Actor): Decision {
  const archived = archivedEvent(actor);
  if (session.turn?.state !== 'running') return append(archived);
  return append(...resultEvents(session), completedEvent(session, 'canceled'), archived);
}

function archivedEvent(actor: Actor): NewEvent {
  return { type: 'session.archived', actor, body: {} };
}

function beginTurn(session: Session): Decision {
  const { turns } = limitsInForce(session);
  const started = startedEvent(session);
  if (turns !== undefined && session.turnCount >= turns) {
    return append(started, completedEvent(session, 'max_turns', nextTurn(session)));
  }
  if (usedUp(session) !== undefined) {
    return append(started, completedEvent(session, 'budget_exceeded', nextTurn(session)));
  }
  return append(started);
}

/** SPEND-2: the warning lands with the usage. */
function meter(session: Session, body: BodyOf<'model.usage'>): Decision {
  const turnId = turnOfCall(session, body.callId);
  const limits = limitsInForce(session);
  const { usage } = session;
  const after = { limits, usage: addUsage(usage, usageOf(body)) };
  return append(
    { type: 'model.usage', actor: SYSTEM, turnId, body },
    ...warningsOf({ limits, usage }, after, turnId),
  );
}

/** What differs in nothing is written for its key only (REPLAY-1). */
function changeLimits(session: Session, command: Extract<Command, { kind: 'changeLimits' }>): Decision {
  const { given, actor, isKeyed } = command;
  const before = limitsInForce(session);
  const limits = limitsAfter(before, given);
  if (isKeyed !== true && requestHash(limits) === requestHash(before)) return NOTHING;
  const { usage } = session;
  return append(
    { type: 'session.limits_changed', actor, body: { ...limits, given } },
    ...warningsOf({ limits: before, usage }, { limits, usage }, undefined),
  );
}

function record(session: Session, events: readonly NewEvent[]): Decision {
  const turnId = session.turn?.id;
  if (events.some((event) => event.turnId !== turnId)) return { kind: 'refuse', fault: new TurnOver() };
  const seen = session.turn?.inputToSeq ?? 0;
  if (events.some((event) => event.type === 'model.started' && event.body.inputToSeq > seen)) {
    return { kind: 'refuse', fault: new InvalidInput('inputToSeq', 'expected a message of this turn.') };
  }
  const waits = openRequests(session.turn);
  const isPremature = (event: NewEvent): boolean =>
    event.type === 'tool.result' && waits.some(({ callId }) => callId === event.body.callId);
  if (session.turn?.stopping === undefined && events.some(isPremature)) {
    return { kind: 'refuse', fault: new InvalidInput('callId', 'expected a call that waits for nobody.') };
  }
  return append(...withRequests(session, events));
}

function completeTurn(session: Session, command: Extract<Command, { kind: 'completeTurn' }>): Decision {
  const { outcome, resultEventId, failure, said } = command;
  if (resultEventId !== undefined && seqOfEventId(resultEventId, session.id) === undefined) {
    return { kind: 'refuse', fault: new InvalidInput('resultEventId', 'expected an event of this session.') };
  }
  const turn = session.turn;
  const unseen = turn !== undefined && turn.inputToSeq > turn.consumedToSeq;
  if (unseen && turn.stopping === undefined && (outcome === 'completed' || outcome === 'needs_input')) {
    return { kind: 'refuse', fault: new InputPending() };
  }
  return append(
    ...abortedEvents(session, said),
    ...resultEvents(session),
    completedEvent(session, outcome, session.turnCount, resultEventId, failure),
  );
}

function append(...events: readonly NewEvent[]): Decision {
  return { kind: 'append', events };
}
