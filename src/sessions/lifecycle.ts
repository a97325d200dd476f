/**
 * The life of a session: state x command -> events. Pure; the fold (sessions/fold.ts) turns the events into the next state.
 * VERDICT is the specification; docs/session-lifecycle.md is printed from it.
 *
 * idle            Nothing runs; storage only once hibernated. A message queues it.
 * queued          A message waits and no turn runs. A brain is wanted; it begins the turn.
 * running         A turn runs. A brain is wanted. Messages join it, wait, or end it, by their mode.
 * awaiting_input  The turn ended with a question. As idle; the next message is the answer.
 * failed          The turn ended with an error. As idle; a message tries again, once the cause is mended.
 * archived        Closed, read only, for ever: after `archive`, or when the log is full.
 */
import type { Level, MessageMode, TurnOutcome } from '../journal/event-catalog.ts';
import type { Actor, BodyOf, NewEvent } from '../journal/event.ts';
import type { Concern, Decision } from '../journal/journal.ts';
import { PENDING_MESSAGES_MAX, TURN_SECONDS_MAX } from '../kernel/limit.ts';
import { InvalidInput } from '../kernel/fault.ts';
import { seqOfEventId, type TurnId, turnIdOf } from '../kernel/id.ts';
import { turnOfCall } from './call-turn.ts';
import { InputPending, PendingFull, SessionArchived, TurnOver } from './faults.ts';
import { type Failure, type Session, type SessionStatus, tokensOf } from './session.ts';

/** What a model call had said when it was cut: people have seen it. Journalled only while that call is open. */
export interface Said {
  readonly callId: string;
  readonly text: string;
}

export type Command =
  | {
      readonly kind: 'send';
      readonly text: string;
      readonly mode: MessageMode;
      readonly actor: Actor;
      readonly raw?: unknown;
    }
  | { readonly kind: 'cancel'; readonly actor: Actor }
  | { readonly kind: 'archive'; readonly actor: Actor }
  /** The brain takes up the waiting messages. */
  | { readonly kind: 'beginTurn' }
  /** The brain writes what happened in the running turn. */
  | { readonly kind: 'record'; readonly events: readonly NewEvent[] }
  /** The brain, or the supervisor for it, ends the running turn. */
  | {
      readonly kind: 'completeTurn';
      /** Nothing happens when another turn runs by now; absent: the running one. */
      readonly number?: number | undefined;
      readonly outcome: TurnOutcome;
      readonly resultEventId?: string | undefined;
      readonly failure?: Failure | undefined;
      readonly said?: Said | undefined;
    }
  /** The gateway counts what a model call used, also of a call whose turn is over by now. */
  | { readonly kind: 'meter'; readonly usage: BodyOf<'model.usage'> }
  | { readonly kind: 'takeLease'; readonly owner: string }
  | {
      readonly kind: 'loseBrain';
      readonly reason: string;
      readonly attemptMax: number;
      readonly retryInMs: number;
      readonly said?: Said | undefined;
    }
  /** The owner has nothing left that runs for the session: who has room may have it. Nothing happens when another one has the lease. */
  | { readonly kind: 'releaseLease'; readonly owner: string }
  /** `processes`: what still runs in the background and ends with the hands. */
  | { readonly kind: 'hibernate'; readonly processes?: number | undefined };

/** Of a message that was cut: as much as is shown of one that is being written, and far below one event's bound. */
export const SAID_CHARS_MAX = 512 * 1024;

type Verdict = 'yes' | 'nothing' | 'refuse';

/** What each command means in each status: decide by it, do nothing (and that is fine), or refuse. */
// biome-ignore format: a table is read by its columns
export const VERDICT: Readonly<Record<Command['kind'], Readonly<Record<SessionStatus, Verdict>>>> = {
  send:         { idle: 'yes',     queued: 'yes',     running: 'yes',     awaiting_input: 'yes',     failed: 'yes',     archived: 'refuse' },
  cancel:       { idle: 'nothing', queued: 'yes',     running: 'yes',     awaiting_input: 'nothing', failed: 'nothing', archived: 'nothing' },
  archive:      { idle: 'yes',     queued: 'yes',     running: 'yes',     awaiting_input: 'yes',     failed: 'yes',     archived: 'nothing' },
  beginTurn:    { idle: 'nothing', queued: 'yes',     running: 'nothing', awaiting_input: 'nothing', failed: 'nothing', archived: 'refuse' },
  record:       { idle: 'refuse',  queued: 'refuse',  running: 'yes',     awaiting_input: 'refuse',  failed: 'refuse',  archived: 'refuse' },
  completeTurn: { idle: 'refuse',  queued: 'refuse',  running: 'yes',     awaiting_input: 'refuse',  failed: 'refuse',  archived: 'refuse' },
  meter:        { idle: 'yes',     queued: 'yes',     running: 'yes',     awaiting_input: 'yes',     failed: 'yes',     archived: 'nothing' },
  takeLease:    { idle: 'nothing', queued: 'yes',     running: 'yes',     awaiting_input: 'nothing', failed: 'nothing', archived: 'nothing' },
  loseBrain:    { idle: 'yes',     queued: 'yes',     running: 'yes',     awaiting_input: 'yes',     failed: 'yes',     archived: 'nothing' },
  hibernate:    { idle: 'yes',     queued: 'nothing', running: 'nothing', awaiting_input: 'yes',     failed: 'yes',     archived: 'nothing' },
  releaseLease: { idle: 'yes',     queued: 'yes',     running: 'yes',     awaiting_input: 'yes',     failed: 'yes',     archived: 'nothing' },
};

const SYSTEM: Actor = { kind: 'system' };
const NOTHING: Decision = { kind: 'nothing' };

export function decide(session: Session, command: Command): Decision {
  const verdict = VERDICT[command.kind][session.status];
  if (verdict === 'nothing') return NOTHING;
  if (verdict === 'refuse') {
    const fault = session.status === 'archived' ? new SessionArchived(session.id) : new TurnOver();
    return { kind: 'refuse', fault };
  }
  switch (command.kind) {
    case 'send':
      return send(session, command);
    case 'cancel':
      return cancel(session, command.actor);
    case 'archive':
      return append(...(session.status === 'running' ? [completedEvent(session, 'canceled')] : []), {
        type: 'session.archived',
        actor: command.actor,
        body: {},
      });
    case 'beginTurn':
      return beginTurn(session);
    case 'record':
      return record(session, command.events);
    case 'completeTurn':
      return completeTurn(session, command);
    case 'meter':
      return append({
        type: 'model.usage',
        actor: SYSTEM,
        turnId: turnOfCall(session, command.usage.callId),
        body: command.usage,
      });
    case 'takeLease':
      return append({
        type: 'brain.started',
        actor: SYSTEM,
        body: { epoch: session.epoch + 1, owner: command.owner },
      });
    case 'loseBrain':
      return loseBrain(session, command);
    case 'releaseLease':
      return session.lease?.owner === command.owner ? append(hibernatedEvent(session, 0)) : NOTHING;
    case 'hibernate':
      if (session.lease === undefined) return NOTHING;
      return append(hibernatedEvent(session, command.processes ?? 0));
  }
}

/** Milliseconds that a turn may run, by the clock of whoever watches it. */
export function turnMsMax({ limits }: Session): number {
  return Math.min(limits.turnSeconds ?? TURN_SECONDS_MAX, TURN_SECONDS_MAX) * 1000;
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

function send(session: Session, command: Extract<Command, { kind: 'send' }>): Decision {
  const { text, mode, actor, raw } = command;
  const turn = session.turn;
  const joins = turn?.state === 'running' && mode === 'steer' && turn.stopping === undefined;
  if (!joins && (session.pending?.count ?? 0) >= PENDING_MESSAGES_MAX) {
    return { kind: 'refuse', fault: new PendingFull(PENDING_MESSAGES_MAX) };
  }
  return append({
    type: 'user.message',
    actor,
    turnId: joins ? turn.id : turnIdOf(session.id, session.turnCount + 1),
    body: raw === undefined ? { text, mode } : { text, mode, raw },
  });
}

function cancel(session: Session, actor: Actor): Decision {
  if (session.status === 'queued')
    return append(startedEvent(session), completedEvent(session, 'canceled', nextTurn(session)));
  if (session.turn?.stopping !== undefined) return NOTHING;
  return append({ type: 'turn.cancel_requested', actor, turnId: session.turn?.id, body: {} });
}

function beginTurn(session: Session): Decision {
  const { tokens, turns } = session.limits;
  const started = startedEvent(session);
  if (turns !== undefined && session.turnCount >= turns) {
    return append(started, completedEvent(session, 'max_turns', nextTurn(session)));
  }
  if (tokens !== undefined && tokensOf(session.usage) >= tokens) {
    return append(started, completedEvent(session, 'budget_exceeded', nextTurn(session)));
  }
  return append(started);
}

function record(session: Session, events: readonly NewEvent[]): Decision {
  const turnId = session.turn?.id;
  if (events.some((event) => event.turnId !== turnId)) return { kind: 'refuse', fault: new TurnOver() };
  const seen = session.turn?.inputToSeq ?? 0;
  if (events.some((event) => event.type === 'model.started' && event.body.inputToSeq > seen)) {
    return { kind: 'refuse', fault: new InvalidInput('inputToSeq', 'expected a message of this turn.') };
  }
  return append(...events);
}

function completeTurn(session: Session, command: Extract<Command, { kind: 'completeTurn' }>): Decision {
  const { outcome, resultEventId, failure, number = session.turnCount } = command;
  if (number !== session.turnCount) return NOTHING;
  if (resultEventId !== undefined && seqOfEventId(resultEventId, session.id) === undefined) {
    return { kind: 'refuse', fault: new InvalidInput('resultEventId', 'expected an event of this session.') };
  }
  const turn = session.turn;
  const unseen = turn !== undefined && turn.inputToSeq > turn.consumedToSeq;
  if (unseen && turn.stopping === undefined && (outcome === 'completed' || outcome === 'needs_input')) {
    return { kind: 'refuse', fault: new InputPending() };
  }
  return append(
    ...abortedEvents(session, command.said),
    completedEvent(session, outcome, session.turnCount, resultEventId, failure),
  );
}

function loseBrain(session: Session, command: Extract<Command, { kind: 'loseBrain' }>): Decision {
  const { reason, attemptMax, retryInMs } = command;
  if (session.lease === undefined || session.retryAt !== undefined) return NOTHING; // it was told already
  const body = { epoch: session.epoch, reason, attempt: session.losses + 1, attemptMax, retryInMs };
  return append(...abortedEvents(session, command.said), { type: 'brain.lost', actor: SYSTEM, body });
}

/** What was being said, as a message: unless its call has ended by now, and the whole answer is in the log. */
function abortedEvents(session: Session, said: Said | undefined): readonly NewEvent[] {
  const { turn } = session;
  if (said === undefined || turn?.state !== 'running' || turn.openCallId !== said.callId) return [];
  const event = abortedEvent(turn.id, said);
  return event === undefined ? [] : [event];
}

/** Undefined when there is nothing to see. */
export function abortedEvent(turnId: TurnId, { callId, text }: Said): NewEvent | undefined {
  if (text.trim() === '') return undefined;
  // A cut may go through a character of two units; half of one cannot be sent back.
  const body = { callId, text: text.slice(0, SAID_CHARS_MAX).toWellFormed(), aborted: true };
  return { type: 'agent.message', actor: { kind: 'agent' }, turnId, body };
}

function hibernatedEvent({ epoch }: Session, processes: number): NewEvent {
  const body = processes === 0 ? { epoch } : { epoch, processes };
  return { type: 'session.hibernated', actor: SYSTEM, body };
}

function nextTurn(session: Session): number {
  return session.turnCount + 1;
}

function startedEvent(session: Session): NewEvent {
  const number = nextTurn(session);
  const body = {
    number,
    inputFromSeq: session.pending?.fromSeq ?? 0,
    inputToSeq: session.pending?.toSeq ?? 0,
  };
  return { type: 'turn.started', actor: SYSTEM, turnId: turnIdOf(session.id, number), body };
}

function completedEvent(
  session: Session,
  outcome: TurnOutcome,
  number: number = session.turnCount,
  resultEventId?: string,
  failure?: Failure,
): NewEvent {
  const level: Level = 'user';
  const body = {
    number,
    outcome,
    ...(resultEventId === undefined ? {} : { resultEventId }),
    ...(failure === undefined ? {} : { errorCode: failure.code, errorMessage: failure.message }),
  };
  return { type: 'turn.completed', actor: SYSTEM, level, turnId: turnIdOf(session.id, number), body };
}

function append(...events: readonly NewEvent[]): Decision {
  return { kind: 'append', events };
}
