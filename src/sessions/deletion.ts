/**
 * Deleting a session, for good. It is begun here (DELETE-1), which is cheap; what it has left is erased afterwards by whoever has it
 * (supervisor/erasure.ts), and no call waits for that.
 */
import type { Clock } from '../kernel/clock.ts';
import type { Organisation, SessionId } from '../kernel/id.ts';
import { parseKey } from '../kernel/request-hash.ts';
import type { Actor } from '../journal/event.ts';
import { SessionNotFound } from '../journal/faults.ts';
import type { DeletionStore } from './deletion-store.ts';

export interface DeleteSession {
  readonly sessionId: SessionId;
  readonly actor: Actor;
  /** Not needed: deleting what is deleted does nothing. */
  readonly idempotencyKey?: string | undefined;
}

export interface Deleted {
  readonly id: SessionId;
  readonly deletedAt: number;
  /** It had been deleted before. */
  readonly replayed: boolean;
}

export interface DeletionPorts {
  readonly deletions: DeletionStore;
  readonly organisation: Organisation;
  readonly clock: Clock;
}

/** Whatever it does, it ends. Again answers the first time. Throws SessionNotFound, InvalidInput. */
export async function deleteSession(
  { deletions, organisation, clock }: DeletionPorts,
  { sessionId: id, actor, idempotencyKey }: DeleteSession,
): Promise<Deleted> {
  parseKey('idempotencyKey', idempotencyKey);
  const tombstone = { id, organisationId: organisation.id, deletedAt: clock.now(), deletedBy: actor };
  const begun = await deletions.begin(tombstone);
  if (begun === undefined) throw new SessionNotFound(id);
  return { id, deletedAt: begun.tombstone.deletedAt, replayed: begun.replayed };
}
