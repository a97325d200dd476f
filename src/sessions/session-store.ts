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
import type { Decision, Journal } from '../journal/journal.ts';
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
}

export interface SessionStore {
  /**
   * Creates the session and the first events of its log, atomically (JOURNAL-3). When a session with this id, or in its organisation
   * with this key, is there already, writes nothing and answers that one with `created: false`. Throws AgentGone when its agent was
   * deleted (AGENT-1).
   */
  create(
    origin: SessionOrigin,
    decide: (session: Session) => Decision,
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
   * Ids of sessions that want a supervisor, of all organisations, oldest status first: those that want a brain (queued or running), and those that rest
   * with a lease which nobody has ended.
   */
  wanted(wish: SupervisorWish): Promise<readonly SessionId[]>;
}
