/**
 * What stands in a session's document once it is deleted. It stays in its place, so that its id can never be had again, and the write that
 * puts it there is the one that takes the record away (DELETE-1). It belongs to no organisation as lists ask for them, and has no `head`:
 * no append finds the head that it was decided on.
 *
 * Servers of the version before know no tombstones. They read a closed session of nobody: their lists do not show it, their brains are
 * fenced, their followers are told that there is no such session.
 */
import { SessionGone } from '../../../journal/faults.ts';
import type { Actor } from '../../../journal/event.ts';
import type { OrganisationId, SessionId } from '../../../kernel/id.ts';
import type { Tombstone } from '../../../sessions/deletion-store.ts';
import { NO_USAGE, type SessionState } from '../../../sessions/session.ts';
import type { Ownership } from '../ownership.ts';

/** No organisation has it for its id. */
const NOBODY = 'deleted';
/** Of no lease. */
const NO_EPOCH = -1;

export interface StoredTombstone {
  readonly _id: SessionId;
  readonly organisationId: typeof NOBODY;
  readonly deleted: {
    /** Absent: of the first organisation (ownership.ts). */
    readonly organisationId?: OrganisationId | undefined;
    readonly at: number;
    readonly by: Actor;
    /** Tells this deletion from any other that tried to begin. The name is an old one. */
    readonly markId: string;
    /** Of one that had waited for people: when that ended by its deletion (stores/inbox-store.ts), by the clock of the database. */
    readonly waitsAt?: Date | undefined;
    readonly neverWaited?: true | undefined;
    /** Until nothing is left of the session. */
    readonly pending?: true | undefined;
  };
}

/** With what a server of the version before looks for in a session. */
export function storedTombstone(
  { id, organisationId, deletedAt: at, deletedBy: by }: Tombstone,
  markId: string,
  ownership: Ownership,
): StoredTombstone {
  const state: SessionState = {
    status: 'archived',
    statusAt: at,
    epoch: NO_EPOCH,
    hibernated: true,
    turnCount: 0,
    usage: NO_USAGE,
    losses: 0,
  };
  const forOlder = {
    agentId: '',
    createdAt: at,
    origin: { agentRevision: 0, model: '', limits: {}, requestHash: '' },
    status: state.status,
    state,
    tail: [],
  };
  const owner = ownership.stored(organisationId);
  const deleted = {
    ...(owner === undefined ? {} : { organisationId: owner }),
    at,
    by,
    markId,
    pending: true,
  } as const;
  return { _id: id, organisationId: NOBODY, deleted, ...forOlder };
}

export function tombstoneOf({ _id: id, deleted }: StoredTombstone, ownership: Ownership): Tombstone {
  return {
    id,
    organisationId: ownership.read(deleted),
    deletedAt: deleted.at,
    deletedBy: deleted.by,
  };
}

/** The session, unless there is none or it is another organisation's. Throws SessionGone. */
export function sessionIn<T extends { readonly organisationId: OrganisationId }>(
  found: T | StoredTombstone | undefined,
  ownership: Ownership,
  organisationId: OrganisationId | undefined,
): T | undefined {
  if (found === undefined) return undefined;
  const isDeleted = isTombstone(found);
  const owner = isDeleted ? ownership.read(found.deleted) : found.organisationId;
  if (organisationId !== undefined && owner !== organisationId) return undefined;
  if (isDeleted) throw new SessionGone(found._id); // DELETE-2
  return found;
}

export function isTombstone(document: object): document is StoredTombstone {
  return 'deleted' in document;
}
