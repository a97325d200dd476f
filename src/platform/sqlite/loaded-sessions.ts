/**
 * The sessions in memory: record and end of the log of those used last. This process is the only writer (database.ts SQLITE-1), so
 * what is here is the truth as of the last commit, and an append needs no read. A failed commit forgets what it touched.
 */
import type { RecordedEvent } from '../../journal/event.ts';
import { SessionNotFound } from '../../journal/faults.ts';
import type { OrganisationId, SessionId } from '../../kernel/id.ts';
import type { Session, Turn } from '../../sessions/session.ts';
import type { EventTable } from './event-table.ts';
import type { SessionTable } from './session-table.ts';

/** Some kilobytes each: what a busy server works on at a time, and more than that is read again in microseconds. */
const SESSIONS_LOADED_MAX = 10_000;

/** One session; what the running commit has changed is in it already. */
export interface Loaded {
  /** The row's key; 0 until the session has a row. */
  key: number;
  session: Session;
  head: number;
  bytes: number;
  /** Of the last event: time does not go backwards in a log. */
  at: number;
  /** JOURNAL-6: the log has ended. */
  full: boolean;
  /** Of the running commit: what it still has to write, and what it has to tell. */
  unsaved: boolean;
  unsavedTurns: Map<number, Turn> | undefined;
  fresh: RecordedEvent[];
}

/** Of a session that has no row yet. */
export function emptyLog(session: Session, at: number): Loaded {
  return {
    key: 0,
    session,
    head: 0,
    bytes: 0,
    at,
    full: false,
    unsaved: false,
    unsavedTurns: undefined,
    fresh: [],
  };
}

export class LoadedSessions {
  readonly #sessions: SessionTable;
  readonly #events: EventTable;
  readonly #max: number;
  /** Two generations: what was used since they last changed places, and what was not. */
  #used = new Map<SessionId, Loaded>();
  #older = new Map<SessionId, Loaded>();

  constructor(sessions: SessionTable, events: EventTable, max = SESSIONS_LOADED_MAX) {
    this.#max = max;
    this.#sessions = sessions;
    this.#events = events;
  }

  /** `organisationId`: only if it is that one's. For another's the table is asked, as for one that is not there (ORGANISATION-1). */
  get(id: SessionId, organisationId?: OrganisationId): Loaded | undefined {
    const used = this.#used.get(id);
    if (used !== undefined && isOf(organisationId, used)) return used;
    const older = this.#older.get(id);
    if (older !== undefined && isOf(organisationId, older)) {
      this.#older.delete(id);
      this.#used.set(id, older);
      return older;
    }
    const row = this.#sessions.get(id, organisationId);
    if (row === undefined) return undefined;
    const end = this.#events.end(row.key);
    const loaded: Loaded = {
      key: row.key,
      session: row.session,
      head: end?.seq ?? 0,
      bytes: end?.bytes ?? 0,
      at: end?.at ?? row.session.createdAt,
      full: end?.type === 'log.limit_reached',
      unsaved: false,
      unsavedTurns: undefined,
      fresh: [],
    };
    this.#used.set(id, loaded);
    return loaded;
  }

  add(loaded: Loaded): void {
    this.#used.set(loaded.session.id, loaded);
  }

  forget(id: SessionId): void {
    this.#used.delete(id);
    this.#older.delete(id);
  }

  /** Makes room. Never inside a commit, which would lose what it has not written yet. */
  trim(): void {
    if (this.#used.size + this.#older.size <= this.#max) return;
    this.#older = this.#used.size <= this.#max ? this.#used : new Map();
    this.#used = new Map();
  }
}

function isOf(organisationId: OrganisationId | undefined, { session }: Loaded): boolean {
  return organisationId === undefined || session.organisationId === organisationId;
}

/** Throws SessionNotFound. */
export function existing(sessionId: SessionId, loaded: Loaded | undefined): Loaded {
  if (loaded === undefined) throw new SessionNotFound(sessionId);
  return loaded;
}
