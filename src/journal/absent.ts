/** Whether nobody will find a session any more. */
import { SessionGone, SessionNotFound } from './faults.ts';

export function isAbsent(error: unknown): error is SessionNotFound | SessionGone {
  return error instanceof SessionNotFound || error instanceof SessionGone;
}
