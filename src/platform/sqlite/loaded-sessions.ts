/**
 * The sessions in memory: record and end of the log of those used last. This process is the only writer (database.ts SQLITE-1), so
 * what is here is the truth as of the last commit, and an append needs no read. A failed commit forgets what it touched.
 */
import type { RecordedEvent } from '../../journal/event.ts';
import { SessionGone, SessionNotFound } from '../../journal/faults.ts';
import type { OrganisationId, SessionId, TurnId } from '../../kernel/id.ts';
import type { Plan } from '../../sessions/append-plan.ts';
import { addUsage } from '../../sessions/cost.ts';
import type { Session, Turn } from '../../sessions/session.ts';
import type { EventTable } from './event-table.ts';
import type { SessionTable } from './session-table.ts';
import type { TombstoneTable } from './tombstone-table.ts';

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
  /** The running commit deletes it. */
  gone: boolean;
}

/** Of a session that has no row yet. */
export function newlyLoaded(session: Session, at: number): Loaded {
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
    gone: false,
  };
}

export class LoadedSessions {
  readonly #sessions: SessionTable;
  readonly #events: EventTable;
  readonly #tombstones: TombstoneTable;
  readonly #max: number;
  /** Two generations: what was used since they last changed places, and what was not. */
  #used = new Map<SessionId, Loaded>();
  #older = new Map<SessionId, Loaded>();

  constructor(
    sessions: SessionTable,
    events: EventTable,
    tombstones: TombstoneTable,
    max = SESSIONS_LOADED_MAX,
  ) {
    this.#max = max;
    this.#tombstones = tombstones;
    this.#sessions = sessions;
    this.#events = events;
  }

  /**
   * `organisationId`: only if it is that one's. For another's the tables are asked, as for one that is not there (ORGANISATION-1). Throws
   * SessionGone.
   */
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
    if (row === undefined) {
      if (this.#tombstones.find(id, organisationId) !== undefined) throw new SessionGone(id); // DELETE-2
      return undefined;
    }
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
      gone: false,
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

/** The turns that the append has changed; `find`: as they are in the table. */
export function keepTurns(
  loaded: Loaded,
  { turns: changed, lateUsage }: Pick<Plan, 'turns' | 'lateUsage'>,
  find: (turnId: TurnId) => Turn | undefined,
): void {
  if (changed.length === 0 && lateUsage.length === 0) return;
  const turns = (loaded.unsavedTurns ??= new Map());
  for (const turn of changed) turns.set(turn.number, turn);
  for (const { turnId, usage } of lateUsage) {
    const turn = [...turns.values()].find(({ id }) => id === turnId) ?? find(turnId);
    if (turn !== undefined) turns.set(turn.number, { ...turn, usage: addUsage(turn.usage, usage) });
  }
}

/** Throws SessionNotFound. */
export function existing(sessionId: SessionId, loaded: Loaded | undefined): Loaded {
  if (loaded === undefined) throw new SessionNotFound(sessionId);
  return loaded;
}
