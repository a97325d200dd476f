/** When something is due for a session by itself, without anybody's doing. Pure: the stores keep it beside the record (due-store.ts). */
import type { Session } from './session.ts';
import { requestsExpireAt } from './tool-requests.ts';

/** Milliseconds since the epoch; undefined: nothing ever is, as it stands. The earliest of all that can be. */
export function dueAt(session: Session): number | undefined {
  return requestsExpireAt(session);
}
