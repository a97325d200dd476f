/** The rows of deleted sessions (sessions/deletion-store.ts): what stays of each, and what of it is still to be erased. */
import type { StatementSync } from 'node:sqlite';
import type { Actor } from '../../journal/event.ts';
import type { OrganisationId, SessionId } from '../../kernel/id.ts';
import type { DeletionStore, Tombstone } from '../../sessions/deletion-store.ts';
import { type Database, rowOf, rowsOf } from './database.ts';

export class TombstoneTable {
  readonly #insert: StatementSync;
  readonly #byId: StatementSync;
  readonly #ownById: StatementSync;
  readonly #pending: StatementSync;
  readonly #keyOf: StatementSync;
  readonly #finish: StatementSync;

  constructor(database: Database) {
    const columns = 'organisation_id, deleted_at, deleted_by';
    this.#insert = database.prepare(
      `INSERT INTO tombstone (id, ${columns}, session_key, waits_at) VALUES (?, ?, ?, ?, ?, ?)`,
    );
    this.#byId = database.prepare(`SELECT ${columns} FROM tombstone WHERE id = ?`);
    this.#ownById = database.prepare(`SELECT ${columns} FROM tombstone WHERE id = ? AND organisation_id = ?`);
    this.#pending = database.prepare(
      'SELECT id FROM tombstone WHERE session_key IS NOT NULL AND id > ? ORDER BY id LIMIT ?',
    );
    this.#keyOf = database.prepare('SELECT session_key FROM tombstone WHERE id = ?');
    this.#finish = database.prepare('UPDATE tombstone SET session_key = NULL WHERE id = ?');
  }

  /** `session`: the key of the row that goes. `waitsAt`: of one that had waited for people (inbox-store.ts). */
  insert(tombstone: Tombstone, session: number, waitsAt: number | undefined): void {
    const { id, organisationId, deletedAt, deletedBy } = tombstone;
    this.#insert.run(id, organisationId, deletedAt, JSON.stringify(deletedBy), session, waitsAt ?? null);
  }

  /** `organisationId`: only if it is that one's. */
  find(id: SessionId, organisationId?: OrganisationId): Tombstone | undefined {
    const row =
      organisationId === undefined ? rowOf(this.#byId, id) : rowOf(this.#ownById, id, organisationId);
    if (row === undefined) return undefined;
    const [owner, deletedAt, deletedBy] = row as readonly [OrganisationId, number, string]; // columns of both
    return { id, organisationId: owner, deletedAt, deletedBy: JSON.parse(deletedBy) as Actor }; // insert() wrote it
  }

  pending({ limit, after = '' as SessionId }: Parameters<DeletionStore['pending']>[0]): readonly SessionId[] {
    return rowsOf(this.#pending, after, limit).map(([id]) => id as SessionId); // the one column
  }

  /** The key of what is still to be erased; undefined when nothing is. */
  keyOf(id: SessionId): number | undefined {
    return (rowOf(this.#keyOf, id)?.[0] as number | null | undefined) ?? undefined; // the one column
  }

  finish(id: SessionId): void {
    this.#finish.run(id);
  }
}
