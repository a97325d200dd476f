/**
 * The audit log (audit/audit-store.ts). What is begun and what came of it are two rows, each written once; triggers keep any other
 * program from changing them by mistake (AUDIT-4).
 */
import type { StatementSync } from 'node:sqlite';
import type { AuditPlace, AuditStore } from '../../audit/audit-store.ts';
import type { AuditEntry, Settlement } from '../../audit/entry.ts';
import type { AuditEntryId, OrganisationId } from '../../kernel/id.ts';
import { type Database, type Row, rowsOf } from './database.ts';
import { translated } from './translate-error.ts';

/** Greater than every place. */
const NEWEST = { at: Number.MAX_SAFE_INTEGER, id: '' };

export class SqliteAuditStore implements AuditStore {
  readonly #database: Database;
  readonly #insert: StatementSync;
  readonly #settle: StatementSync;
  readonly #list: StatementSync;

  constructor(database: Database) {
    this.#database = database;
    this.#insert = database.prepare(
      `INSERT INTO audit_entry (id, organisation_id, at, entry, is_of_append) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO NOTHING`,
    );
    this.#settle = database.prepare(
      `INSERT INTO audit_settlement (id, settlement) SELECT id, ? FROM audit_entry WHERE id = ? AND is_of_append = 0
       ON CONFLICT DO NOTHING`,
    );
    this.#list = database.prepare(
      `SELECT id, organisation_id, at, entry, settlement FROM audit_entry LEFT JOIN audit_settlement USING (id)
       WHERE organisation_id = ? AND (at, id) < (?, ?) ORDER BY at DESC, id DESC LIMIT ?`,
    );
  }

  async add(entry: AuditEntry): Promise<void> {
    await this.#database.write(() => this.#write(entry, 0));
  }

  /** In this store an append and its entry are one commit (AUDIT-2). */
  async repair(): Promise<void> {}

  async settle(id: AuditEntryId, settlement: Settlement): Promise<void> {
    await this.#database.write(() => this.#settle.run(JSON.stringify(settlement), id));
  }

  async list(
    organisationId: OrganisationId,
    {
      limit,
      before = NEWEST as AuditPlace,
    }: { readonly limit: number; readonly before?: AuditPlace | undefined },
  ): Promise<readonly AuditEntry[]> {
    return translated(() => rowsOf(this.#list, organisationId, before.at, before.id, limit).map(entryOf));
  }

  /** Inside a transaction of others: with the append that it is about (AUDIT-2). */
  insert(entry: AuditEntry): void {
    this.#write(entry, 1);
  }

  #write({ id, organisationId, at, ...entry }: AuditEntry, isOfAppend: 0 | 1): void {
    this.#insert.run(id, organisationId, at, JSON.stringify(entry), isOfAppend);
  }
}

function entryOf(row: Row): AuditEntry {
  // the columns of #list
  const [id, organisationId, at, entry, settlement] = row as readonly [
    AuditEntryId,
    OrganisationId,
    number,
    string,
    string | null,
  ];
  return { id, organisationId, at, ...JSON.parse(entry), ...JSON.parse(settlement ?? '{}') };
}
