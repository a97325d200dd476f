/**
 * The port for sessions as records; their logs are behind journal/journal.ts, and one adapter implements both over one
 * database, since an append changes both (JOURNAL-3). Contract: test/contracts/session-store.ts.
 *
 * Where an organisation is named, a session of another one is not there, and finding that is the same work (ORGANISATION-1). What runs
 * sessions, of whichever organisation, names none.
 *
 * Of a session that was deleted whoever looks for it by its id is told so: SessionGone is thrown (DELETE-2).
 */
import type { AgentId, OrganisationId, SessionId, TurnId } from '../kernel/id.ts';
import type { Audits, Decision, Journal } from '../journal/journal.ts';
import type { Session, SessionOrigin, SessionStatus, Turn } from './session.ts';

export type SessionJournal = Journal<Session>;

/** A session's record and the last seq of its log. */
export interface SessionEntry {
  readonly session: Session;
  readonly head: number;
}

export interface SessionFilter {
  readonly status?: SessionStatus | undefined;
  readonly agentId?: AgentId | undefined;
  readonly key?: string | undefined;
}

/** Newest first, by creation time and then id. */
export interface SessionPage {
  readonly limit: number;
  /** Only sessions older than this place. */
  readonly before?: { readonly createdAt: number; readonly id: SessionId } | undefined;
}

export interface SupervisorWish {
  readonly limit: number;
  /** Owners whose sessions are left out: they look after them themselves. Default: nobody. */
  readonly heldByNoneOf?: readonly string[] | undefined;
  /** Left out too. Default: none. */
  readonly except?: readonly SessionId[] | undefined;
  /** Only organisations after this one, by their ids: `after` of the answer before. */
  readonly after?: OrganisationId | undefined;
}

export interface Wanted {
  readonly sessionIds: readonly SessionId[];
  /** Where to go on; undefined when no organisation comes after those of this answer. */
  readonly after: OrganisationId | undefined;
}

/** Organisations in one answer of `wanted`: each costs a look into an index, so that many of them make an answer a little longer, not slow. */
export const WANTED_ORGANISATIONS_MAX = 64;

export interface SessionStore {
  /**
   * Creates the session and the first events of its log, atomically (JOURNAL-3). When a session with this id, or in its organisation
   * with this key, is there already, writes nothing and answers that one with `created: false`. Throws AgentGone when its agent was
   * deleted (AGENT-1).
   * `audit`: as in an append (AUDIT-2).
   */
  create(
    origin: SessionOrigin,
    decide: (session: Session) => Decision,
    audit?: Audits<Session>,
  ): Promise<SessionEntry & { readonly created: boolean }>;

  get(id: SessionId, organisationId?: OrganisationId): Promise<SessionEntry | undefined>;

  list(
    organisationId: OrganisationId,
    filter: SessionFilter,
    page: SessionPage,
  ): Promise<readonly SessionEntry[]>;

  /** Turns of a session, newest first; `before` is a turn number. The running turn is as of the last append. */
  turns(
    id: SessionId,
    page: { readonly limit: number; readonly before?: number | undefined },
    organisationId?: OrganisationId,
  ): Promise<readonly Turn[]>;

  turn(id: SessionId, turnId: TurnId, organisationId?: OrganisationId): Promise<Turn | undefined>;

  /**
   * Ids of sessions that want a supervisor: those that want a brain (queued or running), and those that rest with a lease which nobody has
   * ended. Of each of the next WANTED_ORGANISATIONS_MAX organisations that have some at least an equal share of `limit`, and at least one,
   * the oldest status first; what that costs does not grow with how many an organisation has (ADMIT-3).
   */
  wanted(wish: SupervisorWish): Promise<Wanted>;

  /** Ids of the sessions of an organisation that want a brain and that no server has, the oldest status first. */
  waiting(organisationId: OrganisationId, limit: number): Promise<readonly SessionId[]>;
}

/** How many of each of so many organisations `wanted` answers. */
export function wantedOfEach(limit: number, organisations: number): number {
  return Math.max(1, Math.floor(limit / Math.max(1, organisations)));
}
