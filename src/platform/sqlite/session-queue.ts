/**
 * Which rows of sessions wait for a supervisor or a brain. All look-ups go by indexes that begin with the organisation (migrations.ts), so that
 * what one organisation has there costs the others nothing.
 */
import type { StatementSync } from 'node:sqlite';
import type { OrganisationId, SessionId } from '../../kernel/id.ts';
import {
  type SupervisorWish,
  type Wanted,
  WANTED_ORGANISATIONS_MAX,
  wantedOfEach,
} from '../../sessions/session-store.ts';
import { type Database, rowOf, rowsOf } from './database.ts';

/** As the partial indexes have it, word for word: else SQLite does not take them. */
const WANTED = "(status IN ('queued', 'running') OR lease_owner IS NOT NULL)";
const WAITING = "status IN ('queued', 'running') AND lease_owner IS NULL";

export class SessionQueue {
  readonly #next: StatementSync;
  readonly #wanted: StatementSync;
  readonly #waiting: StatementSync;

  constructor(database: Database) {
    this.#next = database.prepare(
      `SELECT organisation_id FROM session WHERE ${WANTED} AND organisation_id > ? ORDER BY organisation_id LIMIT 1`,
    );
    this.#wanted = database.prepare(
      `SELECT id FROM session WHERE ${WANTED} AND organisation_id = ?
         AND (lease_owner IS NULL OR lease_owner NOT IN (SELECT value FROM json_each(?)))
         AND id NOT IN (SELECT value FROM json_each(?))
       ORDER BY status_at, key LIMIT ?`,
    );
    this.#waiting = database.prepare(
      `SELECT id FROM session WHERE ${WAITING} AND organisation_id = ? ORDER BY status_at, key LIMIT ?`,
    );
  }

  wanted({ limit, heldByNoneOf = [], except = [], after }: SupervisorWish): Wanted {
    const organisations = this.#organisationsAfter(after ?? '');
    const each = wantedOfEach(limit, organisations.length);
    const [held, left] = [JSON.stringify(heldByNoneOf), JSON.stringify(except)];
    const sessionIds = organisations.flatMap((id) => rowsOf(this.#wanted, id, held, left, each).map(idOf));
    const hasMore = organisations.length === WANTED_ORGANISATIONS_MAX;
    return { sessionIds, after: hasMore ? organisations.at(-1) : undefined };
  }

  waiting(organisationId: OrganisationId, limit: number): readonly SessionId[] {
    return rowsOf(this.#waiting, organisationId, limit).map(idOf);
  }

  /** One step of the index for each, however many rows it has. */
  #organisationsAfter(after: string): readonly OrganisationId[] {
    const found: OrganisationId[] = [];
    for (let last = after; found.length < WANTED_ORGANISATIONS_MAX; ) {
      const row = rowOf(this.#next, last);
      if (row === undefined) break;
      last = row[0] as OrganisationId; // the one column
      found.push(last as OrganisationId);
    }
    return found;
  }
}

function idOf(row: readonly unknown[]): SessionId {
  return row[0] as SessionId; // the one column of the statements
}
