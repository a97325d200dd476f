/**
 * What the supervisor decides once a brain has ended. Pure, as all of lifecycle.ts.
 *
 * ENDS-1 Each end is one append, so that no crash leaves a half of it: the last words of the brain, results for its open tool calls,
 *        the end of the turn, and of the lease when nothing waits.
 * ENDS-2 Every tool call of a turn that has ended has a result, whoever ended it (turn-events.ts), but in a log that is full.
 */
import type { TurnOutcome } from '../journal/event-catalog.ts';
import type { NewEvent } from '../journal/event.ts';
import type { Decision } from '../journal/journal.ts';
import { turnIdOf } from '../kernel/id.ts';
import type { Failure, Session } from './session.ts';
import { waitsInTurn } from './tool-requests.ts';
import {
  abortedEvents,
  completedEvent,
  hibernatedEvent,
  nextTurn,
  resultEvents,
  type Said,
  startedEvent,
  SYSTEM,
  type ToolEnd,
} from './turn-events.ts';

/** What a brain leaves behind that has ended. */
export interface LeftBehind {
  readonly said?: Said | undefined;
  /** Tool calls of which it is known how they ended. */
  readonly results?: readonly ToolEnd[] | undefined;
  /** What still runs in the background and ends with the hands. */
  readonly processes?: number | undefined;
}

/** Its brain was ended, since turn `number` must end. */
export interface EndTurn extends LeftBehind {
  readonly kind: 'endTurn';
  readonly number: number;
  readonly outcome: TurnOutcome;
}

/** Its brain has died. */
export interface LoseBrain extends LeftBehind {
  readonly kind: 'loseBrain';
  readonly reason: string;
  /** The turn ends with an error when so many were lost in a row. */
  readonly attemptMax: number;
  readonly retryInMs: number;
}

const NOTHING: Decision = { kind: 'nothing' };

export function endTurn(session: Session, command: EndTurn): Decision {
  const { number, outcome, said, results } = command;
  if (session.turn?.state !== 'running' || waitsInTurn(session)) return atRest(session, command); // it has ended by itself meanwhile, or waits for somebody
  if (number !== session.turnCount) return NOTHING;
  return append(
    ...abortedEvents(session, said),
    ...resultEvents(session, results),
    completedEvent(session, session.turn.stopping ?? outcome), // who asked for its end was told how
    ...hibernatedAfter(session, command),
  );
}

export function loseBrain(session: Session, command: LoseBrain): Decision {
  if (session.lease === undefined || session.retryAt !== undefined) return NOTHING; // it was told already
  if (session.status !== 'queued' && session.status !== 'running') return atRest(session, command); // it had nothing to do
  const { reason, attemptMax, retryInMs, said, results } = command;
  const attempt = session.losses + 1;
  const lost: NewEvent = {
    type: 'brain.lost',
    actor: SYSTEM,
    body: { epoch: session.epoch, reason, attempt, attemptMax, retryInMs },
  };
  const aborted = abortedEvents(session, said);
  if (attempt < attemptMax) return append(...aborted, lost);
  return append(
    ...aborted,
    lost,
    ...resultEvents(session, results),
    ...failedEvents(session, reason, attemptMax),
    ...hibernatedAfter(session, command),
  );
}

/** The turn that runs, or the one that waits and is begun for it, ends with an error: the next message tries again. */
function failedEvents(session: Session, reason: string, attemptMax: number): readonly NewEvent[] {
  const isRunning = session.status === 'running';
  const stopping = isRunning ? session.turn?.stopping : undefined;
  if (stopping !== undefined) return [completedEvent(session, stopping)]; // who asked for its end was told how
  const number = isRunning ? session.turnCount : nextTurn(session);
  const failure: Failure = {
    code: 'BRAIN_LOST',
    message: `The brain ended ${attemptMax} times without progress (${reason}). Send a message to try again.`,
  };
  const body = { ...failure, retriable: true };
  return [
    ...(isRunning ? [] : [startedEvent(session)]),
    { type: 'error.runtime', actor: SYSTEM, turnId: turnIdOf(session.id, number), body },
    completedEvent(session, 'error', number, undefined, failure),
  ];
}

/** Hands end with the slot when nothing waits. */
function hibernatedAfter(session: Session, { processes = 0 }: LeftBehind): readonly NewEvent[] {
  const isWaitedFor = session.status === 'running' && session.pending !== undefined;
  return isWaitedFor ? [] : [hibernatedEvent(session, processes)];
}

/** Whoever has nothing to do and no brain holds no lease. */
function atRest(session: Session, { processes = 0 }: LeftBehind): Decision {
  if (session.lease === undefined || session.status === 'queued') return NOTHING;
  return append(hibernatedEvent(session, processes));
}

function append(...events: readonly NewEvent[]): Decision {
  return { kind: 'append', events };
}
