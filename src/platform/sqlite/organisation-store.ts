/** Organisations (access/organisation-store.ts). The first one is a row that the migration made. */
import type { StatementSync } from 'node:sqlite';
import type { OrganisationRecord, OrganisationStore } from '../../access/organisation-store.ts';
import { must } from '../../kernel/assert.ts';
import type { OrganisationId } from '../../kernel/id.ts';
import { type Database, type Row, rowOf, rowsOf } from './database.ts';
import { translated } from './translate-error.ts';

type Page = Parameters<OrganisationStore['list']>[0];

const COLUMNS = 'id, name, created_at';

export class SqliteOrganisationStore implements OrganisationStore {
  readonly first: OrganisationId;
  readonly #database: Database;
  readonly #insert: StatementSync;
  readonly #byId: StatementSync;
  readonly #byName: StatementSync;
  readonly #list: StatementSync;

  constructor(database: Database) {
    this.#database = database;
    this.#insert = database.prepare(`INSERT INTO organisation (${COLUMNS}, is_first) VALUES (?, ?, ?, 0)`);
    this.#byId = database.prepare(`SELECT ${COLUMNS} FROM organisation WHERE id = ?`);
    this.#byName = database.prepare(`SELECT ${COLUMNS} FROM organisation WHERE name = ?`);
    this.#list = database.prepare(
      `SELECT ${COLUMNS} FROM organisation WHERE (created_at, id) < (?, ?) ORDER BY created_at DESC, id DESC LIMIT ?`,
    );
    const first = rowOf(database.prepare(`SELECT ${COLUMNS} FROM organisation WHERE is_first = 1`));
    this.first = organisationOf(must(first, 'the migration made the first organisation')).id;
  }

  async create(
    organisation: OrganisationRecord,
  ): Promise<{ readonly created: boolean; readonly organisation: OrganisationRecord }> {
    const { id, name, createdAt } = organisation;
    return this.#database.write(() => {
      const there = rowOf(this.#byId, id) ?? rowOf(this.#byName, name);
      if (there !== undefined) return { created: false, organisation: organisationOf(there) };
      this.#insert.run(id, name, createdAt);
      return { created: true, organisation };
    });
  }

  async get(id: OrganisationId): Promise<OrganisationRecord | undefined> {
    return translated(() => {
      const row = rowOf(this.#byId, id);
      return row === undefined ? undefined : organisationOf(row);
    });
  }

  async list({ limit, before }: Page): Promise<readonly OrganisationRecord[]> {
    const { createdAt, id } = before ?? { createdAt: Number.MAX_SAFE_INTEGER, id: '' }; // later than all
    return translated(() => rowsOf(this.#list, createdAt, id, limit).map(organisationOf));
  }
}

function organisationOf(row: Row): OrganisationRecord {
  const [id, name, createdAt] = row as readonly [OrganisationId, string, number]; // COLUMNS
  return { id, name, createdAt };
}
