/** What the model was saying when its turn or its brain ended: people have seen it, and only the live drafts know it. */
import type { NewEvent } from '../journal/event.ts';
import type { SessionId } from '../kernel/id.ts';
import { abortedEvent, type Said } from '../sessions/turn-events.ts';
import type { Session } from '../sessions/session.ts';

/** What people have seen of the message that a model call is writing; undefined when it is nothing. */
export type DraftOf = (sessionId: SessionId, callId: string) => string | undefined;

/** What the open model call has said so far. */
export function unfinishedIn({ id, turn }: Session, draftOf: DraftOf): Said | undefined {
  const callId = turn?.openCallId;
  const text = callId === undefined ? undefined : draftOf(id, callId);
  return callId === undefined || text === undefined ? undefined : { callId, text };
}

/** The same as an event of the running turn, for when neither the turn nor the brain's epoch ends with it. */
export function unfinishedEvents(session: Session, draftOf: DraftOf): readonly NewEvent[] {
  const said = unfinishedIn(session, draftOf);
  const turnId = session.status === 'running' ? session.turn?.id : undefined;
  const event = said === undefined || turnId === undefined ? undefined : abortedEvent(turnId, said);
  return event === undefined ? [] : [event];
}
