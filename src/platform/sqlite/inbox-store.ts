/**
 * What sessions wait for people for (sessions/inbox-store.ts), in columns of the session's row, and of its tombstone. Places are numbers that
 * grow by one: this process is the only writer, and its commits have an order.
 */
import type { StatementSync } from 'node:sqlite';
import type { OrganisationId, SessionId } from '../../kernel/id.ts';
import type { ChangesPage, InboxStore, WaitingPage, WaitsChange } from '../../sessions/inbox-store.ts';
import type { Session } from '../../sessions/session.ts';
import type { SessionEntry } from '../../sessions/session-store.ts';
import { waitingSince } from '../../sessions/waits.ts';
import { type Database, type Row, rowOf, rowsOf } from './database.ts';

/** Of what SessionTable writes in a row: when the oldest wait began, and the place where that changed. */
export interface WaitsColumns {
  readonly since: number | null;
  readonly seq: number | null;
}

export function waitsColumns(session: Session): WaitsColumns {
  return { since: waitingSince(session) ?? null, seq: session.waits?.seq ?? null };
}

export interface SqliteInboxPorts {
  readonly database: Database;
  /** Between two commits, and once the disk has what is there (COMMIT-5). */
  look<T>(read: () => T): Promise<T>;
  /** The session of a row: organisation, origin, state, head. */
  entryOf(row: Row): SessionEntry;
}

/** The head comes from the last event row (migrations.ts). */
export const HEAD = 'coalesce((SELECT max(seq) FROM event WHERE event.session = session.key), 0)';

const CHANGES = (table: string, key: string): string =>
  `SELECT id, waits_at, ${key} FROM ${table}
   WHERE organisation_id = ?1 AND waits_at IS NOT NULL AND (waits_at > ?2 OR (waits_at = ?2 AND id > ?3))`;

export class SqliteInboxStore implements InboxStore {
  readonly overlap = 0;
  readonly #ports: SqliteInboxPorts;
  readonly #waiting: StatementSync;
  readonly #waitingOfAgent: StatementSync;
  readonly #changes: StatementSync;
  readonly #newest: StatementSync;

  constructor(ports: SqliteInboxPorts) {
    const { database } = ports;
    this.#ports = ports;
    const waiting = (more: string): string =>
      `SELECT organisation_id, origin, state, ${HEAD} FROM session INDEXED BY session_waiting_for_people
       WHERE organisation_id = ?1 AND waits_since IS NOT NULL AND (waits_since, id) >= (?2, ?3) ${more}
       ORDER BY waits_since, id LIMIT ?4`;
    this.#waiting = database.prepare(waiting(''));
    this.#waitingOfAgent = database.prepare(waiting('AND agent_id = ?5'));
    this.#changes = database.prepare(
      `${CHANGES('session', 'coalesce(waits_seq, 0)')} UNION ALL ${CHANGES('tombstone', 'NULL')}
       ORDER BY waits_at, id LIMIT ?4`,
    );
    const newestOf = (table: string): string =>
      `coalesce((SELECT max(waits_at) FROM ${table} WHERE organisation_id = ?1 AND waits_at IS NOT NULL), 0)`;
    this.#newest = database.prepare(`SELECT max(${newestOf('session')}, ${newestOf('tombstone')})`);
  }

  waiting(organisationId: OrganisationId, page: WaitingPage): Promise<readonly SessionEntry[]> {
    const { limit, agentId, from } = page;
    const { since, id } = from ?? { since: Number.MIN_SAFE_INTEGER, id: '' };
    return this.#ports.look(() => {
      const rows =
        agentId === undefined
          ? rowsOf(this.#waiting, organisationId, since, id, limit)
          : rowsOf(this.#waitingOfAgent, organisationId, since, id, limit, agentId);
      return rows.map(this.#ports.entryOf);
    });
  }

  changes(organisationId: OrganisationId, page: ChangesPage): Promise<readonly WaitsChange[]> {
    const { limit, after } = page;
    // behind all ids of its place, unless one is named
    const id = after.id ?? '\u{10ffff}';
    return this.#ports.look(() =>
      rowsOf(this.#changes, organisationId, after.place, id, limit).map(changeOf),
    );
  }

  newest(organisationId: OrganisationId): Promise<number> {
    return this.#ports.look(() => Number(rowOf(this.#newest, organisationId)?.[0] ?? 0));
  }
}

/** The places of one database: the next one, in the running commit. */
export class WaitsPlaces {
  #last: number;

  constructor(database: Database) {
    const highest = (table: string): string =>
      `coalesce((SELECT max(waits_at) FROM ${table} WHERE waits_at IS NOT NULL), 0)`;
    const found = database.prepare(`SELECT max(${highest('session')}, ${highest('tombstone')})`);
    this.#last = Number(rowOf(found)?.[0] ?? 0);
  }

  /** A commit that fails leaves a gap. */
  next(): number {
    this.#last += 1;
    return this.#last;
  }
}

function changeOf(row: Row): WaitsChange {
  const [sessionId, place, seq] = row as readonly [SessionId, number, number | null]; // columns of changes()
  return { sessionId, place, seq: seq ?? undefined };
}
