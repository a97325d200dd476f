/** What somebody says to a session, as lifecycle.ts decides it. Pure. */
import type { MessageMode } from '../journal/event-catalog.ts';
import type { Actor, NewEvent } from '../journal/event.ts';
import type { Decision } from '../journal/journal.ts';
import { Forbidden } from '../kernel/fault.ts';
import { turnIdOf } from '../kernel/id.ts';
import { PENDING_MESSAGES_MAX } from '../kernel/limit.ts';
import { PendingFull } from './faults.ts';
import type { Session } from './session.ts';
import { waitsInTurn } from './tool-requests.ts';
import { completedEvent, resultEvents } from './turn-events.ts';

export interface Send {
  readonly kind: 'send';
  readonly text: string;
  readonly mode: MessageMode;
  readonly actor: Actor;
  readonly raw?: unknown;
  /** Whoever says it may answer what the agent asks, and say nothing else. */
  readonly isAnswer?: boolean | undefined;
}

const NOTHING_ASKED =
  'This client token may only answer, and the agent asks nothing now. Wait until the session awaits input, or take a token with the scope "steer".';

/** A message joins the running turn, waits for the next one, or ends it, by its mode. */
export function send(session: Session, command: Send): Decision {
  const { text, mode, actor, raw, isAnswer } = command;
  if (isAnswer === true && (session.status !== 'awaiting_input' || waitsInTurn(session))) {
    return { kind: 'refuse', fault: new Forbidden(NOTHING_ASKED) }; // TOKEN-5
  }
  const turn = session.turn;
  const joins = turn?.state === 'running' && mode === 'steer' && turn.stopping === undefined;
  if (!joins && (session.pending?.count ?? 0) >= PENDING_MESSAGES_MAX) {
    return { kind: 'refuse', fault: new PendingFull(PENDING_MESSAGES_MAX) };
  }
  const message: NewEvent = {
    type: 'user.message',
    actor,
    turnId: joins ? turn.id : turnIdOf(session.id, session.turnCount + 1),
    body: raw === undefined ? { text, mode } : { text, mode, raw },
  };
  if (mode !== 'interrupt' || !waitsInTurn(session)) return append(message);
  return append(message, ...resultEvents(session), completedEvent(session, 'interrupted')); // nobody runs who would
}

function append(...events: readonly NewEvent[]): Decision {
  return { kind: 'append', events };
}
