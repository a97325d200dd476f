/**
 * The port for deleting sessions: one adapter implements it with the journal and the records, over one database. First the deletion is begun,
 * at once and for good; then what it has left is erased in steps, by whoever finds it. Contract: test/contracts/deletion-store.ts.
 *
 * DELETE-1 begun  To begin is one atomic write: the record goes, and a tombstone is in its place. From then on the session is gone to every
 *    reader and writer (DELETE-2), is in no list, and its natural key is free. Its id is not used again, nor is the idempotency key that it
 *    was derived from.
 * DELETE-3 erased  Whatever a crash cuts off is found again as pending, until a last look has found nothing. Any step may be done again, also
 *    by several servers at once.
 * DELETE-4 tombstone  What stays is the tombstone: id, organisation, when and by whom.
 */
import type { Actor } from '../journal/event.ts';
import type { OrganisationId, SessionId } from '../kernel/id.ts';
import type { SessionStatus } from './session.ts';

export interface Tombstone {
  readonly id: SessionId;
  readonly organisationId: OrganisationId;
  readonly deletedAt: number;
  readonly deletedBy: Actor;
}

export interface Begun {
  readonly tombstone: Tombstone;
  /** It had been deleted before: the tombstone is of then. */
  readonly replayed: boolean;
}

/** Where a session was seen to stand: any message, and any turn, changes it. */
export interface Standing {
  readonly status: SessionStatus;
  readonly statusAt: number;
}

export interface DeletionStore {
  /**
   * How long after a deletion was begun another server may still write something for it that it had begun before: what is erased then is
   * looked for again. 0 where there is no other server.
   */
  readonly lateMs: number;

  /**
   * DELETE-1. Hints that it is gone (journal/journal.ts). Undefined when the organisation has no such session, and had none; and, with
   * nothing written, when it does not stand any more as it was seen (RETENTION-4).
   */
  begin(tombstone: Tombstone, seen?: Standing): Promise<Begun | undefined>;

  /** The tombstone of a session that the organisation has deleted; undefined when it has not. */
  tombstone(id: SessionId, organisationId: OrganisationId): Promise<Tombstone | undefined>;

  /** Begun and not finished, by id; `after`: only those with a greater one. */
  pending(page: {
    readonly limit: number;
    readonly after?: SessionId | undefined;
  }): Promise<readonly SessionId[]>;

  /** One bounded step: erases log, bodies, turns and keys of the first of these. Answers those that have nothing left. */
  erase(ids: readonly SessionId[]): Promise<readonly SessionId[]>;

  /** They have nothing left, here and elsewhere: they are pending no more. */
  finish(ids: readonly SessionId[]): Promise<void>;

  /** Overwrites what files beside the tables still hold of what was erased; now and then, when nothing is pending. */
  overwrite(): Promise<boolean>;
}
