/**
 * An append and its audit entry (AUDIT-2). MongoDB changes one document at a time here, so the entry follows the append, before the caller
 * hears of it. One that a crash kept back is written when the same append is answered again: its id comes from the append.
 */
import type { AuditStore } from '../../../audit/audit-store.ts';
import type { Appended, AppendRequest } from '../../../journal/journal.ts';
import type { Session } from '../../../sessions/session.ts';

export async function audited(
  { audit, decide, ...request }: AppendRequest<Session>,
  append: (request: AppendRequest<Session>) => Promise<Appended<Session>>,
  store: Pick<AuditStore, 'add'>,
): Promise<Appended<Session>> {
  let before: Session | undefined;
  const appended = await append({
    ...request,
    decide(session, isFull) {
      before = session; // the last time that it is decided is the one that is written
      return decide(session, isFull);
    },
  });
  const { firstSeq, lastSeq, replayed, state } = appended;
  if (audit !== undefined && lastSeq >= firstSeq) {
    await store.add(audit({ before: before ?? state, after: state, firstSeq, lastSeq, replayed }));
  }
  return appended;
}
