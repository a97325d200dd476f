/** How far the log of a session has come, as a checkpoint of its files remembers it. */
import type { SessionEntry } from '../sessions/session-store.ts';
import type { LogPlace } from '../hands/workspace-archive.ts';

/** `turn`: the one that is about to be over; left out: a turn that runs is not over. */
export function logPlaceOf({ session, head }: SessionEntry, turn?: number): LogPlace {
  return { seq: head, turn: turn ?? session.turnCount - (session.status === 'running' ? 1 : 0) };
}
