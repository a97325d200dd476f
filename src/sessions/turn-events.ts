/** The events with which turns begin and end, as the decisions about them write these (lifecycle.ts, brain-end.ts). */
import type { Level, ToolOutcome, TurnOutcome } from '../journal/event-catalog.ts';
import type { Actor, BodyOf, NewEvent } from '../journal/event.ts';
import { APPEND_EVENTS_MAX } from '../kernel/limit.ts';
import { type TurnId, turnIdOf } from '../kernel/id.ts';
import type { Failure, OpenTool, Session } from './session.ts';
import { canceledRequest } from './tool-requests.ts';

export const SYSTEM: Actor = { kind: 'system' };

/** What a model call had said when it was cut: people have seen it. Journalled only while that call is open. */
export interface Said {
  readonly callId: string;
  readonly text: string;
}

/** How a tool call ended, where whoever ends its turn knows it. */
export interface ToolEnd {
  readonly callId: string;
  readonly outcome: ToolOutcome;
  readonly output: string;
  readonly durationMs: number;
  readonly exitCode?: number | undefined;
}

/** Of a message that was cut: as much as is shown of one that is being written, and far below one event's bound. */
export const SAID_CHARS_MAX = 512 * 1024;
/** What one append writes beside the results of the calls that are open: far more than any decision does. */
const OTHER_EVENTS_MAX = 16;
/** What is written of one open call: that nobody has to answer it any more, and its result. */
const EVENTS_OF_CALL_MAX = 2;

const UNKNOWN =
  'The turn ended before the result of this call was known. It may have taken effect in part or as a whole: look before you do it again.';
const NOT_RUN = 'The turn ended before this call was run.';
const UNANSWERED =
  'The turn ended before this call was answered. Whoever was asked may have begun with it: look before you make it again.';

export function nextTurn(session: Session): number {
  return session.turnCount + 1;
}

export function startedEvent(session: Session): NewEvent {
  const number = nextTurn(session);
  const body = {
    number,
    inputFromSeq: session.pending?.fromSeq ?? 0,
    inputToSeq: session.pending?.toSeq ?? 0,
  };
  return { type: 'turn.started', actor: SYSTEM, turnId: turnIdOf(session.id, number), body };
}

export function completedEvent(
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

export function hibernatedEvent({ epoch }: Session, processes: number): NewEvent {
  const body = processes === 0 ? { epoch } : { epoch, processes };
  return { type: 'session.hibernated', actor: SYSTEM, body };
}

/** What was being said, as a message: unless its call has ended by now, and the whole answer is in the log. */
export function abortedEvents(session: Session, said: Said | undefined): readonly NewEvent[] {
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

/**
 * A result for each tool call of the running turn that has none: the one that is known, or else the truth that none is. Who ends the
 * turn writes them in the same append, so that the log tells of no call that goes on for ever (brain-end.ts ENDS-2).
 */
export function resultEvents({ turn }: Session, known: readonly ToolEnd[] = []): readonly NewEvent[] {
  if (turn?.state !== 'running') return [];
  const open = (turn.openTools ?? []).slice(0, (APPEND_EVENTS_MAX - OTHER_EVENTS_MAX) / EVENTS_OF_CALL_MAX);
  return open.flatMap((call): readonly NewEvent[] => {
    const body = resultOf(
      call,
      known.find(({ callId }) => callId === call.callId),
    );
    return [...canceledRequest(turn.id, call), { type: 'tool.result', actor: SYSTEM, turnId: turn.id, body }];
  });
}

function resultOf(
  { callId, tool, mayRun, request }: OpenTool,
  known: ToolEnd | undefined,
): BodyOf<'tool.result'> {
  const unrun = request?.kind === 'client' ? UNANSWERED : NOT_RUN;
  if (!mayRun) return { callId, tool, outcome: 'canceled', output: unrun, durationMs: 0 };
  if (known === undefined) return { callId, tool, outcome: 'unknown', output: UNKNOWN, durationMs: 0 };
  const { outcome, output, durationMs, exitCode } = known;
  const said = { callId, tool, outcome, output: output.toWellFormed(), durationMs };
  return exitCode === undefined ? said : { ...said, exitCode };
}
