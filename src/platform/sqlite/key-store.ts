/** API keys (access/key-store.ts): a row for each, and one for each hash by which it is found. Only hashes rest. */
import type { StatementSync } from 'node:sqlite';
import type { ApiKey, KeyStore, KeyUse, NeededKey, Revoked } from '../../access/key-store.ts';
import type { ApiKeyId, OrganisationId } from '../../kernel/id.ts';
import { type Database, type Row, rowOf, rowsOf } from './database.ts';
import { translated } from './translate-error.ts';

type Page = Parameters<KeyStore['list']>[1];
/** What has no column of its own. */
type Rest = Omit<ApiKey, 'id' | 'organisationId' | 'createdAt' | 'lastUsedAt'>;

const COLUMNS = 'id, organisation_id, created_at, last_used_at, key';

export class SqliteKeyStore implements KeyStore {
  readonly #database: Database;
  readonly #insert: StatementSync;
  readonly #insertValue: StatementSync;
  readonly #update: StatementSync;
  readonly #use: StatementSync;
  readonly #delete: StatementSync;
  readonly #deleteValues: StatementSync;
  readonly #byHash: StatementSync;
  readonly #byId: StatementSync;
  readonly #roots: StatementSync;
  readonly #list: StatementSync;
  readonly #another: StatementSync;
  readonly #count: StatementSync;

  constructor(database: Database) {
    this.#database = database;
    this.#insert = database.prepare(
      'INSERT INTO api_key (id, organisation_id, created_at, is_root, key) VALUES (?, ?, ?, ?, ?)',
    );
    this.#insertValue = database.prepare('INSERT INTO api_key_value (hash, key_id) VALUES (?, ?)');
    this.#update = database.prepare('UPDATE api_key SET is_root = ?, key = ? WHERE id = ?');
    this.#use = database.prepare(
      'UPDATE api_key SET last_used_at = max(coalesce(last_used_at, 0), ?) WHERE id = ?',
    );
    this.#delete = database.prepare('DELETE FROM api_key WHERE id = ?');
    this.#deleteValues = database.prepare('DELETE FROM api_key_value WHERE key_id = ?');
    this.#byHash = database.prepare(
      `SELECT ${COLUMNS} FROM api_key WHERE id = (SELECT key_id FROM api_key_value WHERE hash = ?)`,
    );
    this.#byId = database.prepare(`SELECT ${COLUMNS} FROM api_key WHERE id = ?`);
    this.#roots = database.prepare(
      `SELECT ${COLUMNS} FROM api_key WHERE organisation_id = ? AND is_root = 1 AND id <> ?`,
    );
    this.#list = database.prepare(
      `SELECT ${COLUMNS} FROM api_key WHERE organisation_id = ? AND (created_at, id) < (?, ?)
       ORDER BY created_at DESC, id DESC LIMIT ?`,
    );
    this.#another = database.prepare(
      `SELECT 1 FROM api_key WHERE organisation_id = ? AND id <> ?
         AND EXISTS (SELECT 1 FROM json_each(api_key.key, '$.scopes') WHERE value = ?)
         AND json_extract(key, '$.revokedAt') IS NULL
         AND coalesce(json_extract(key, '$.expiresAt') > ?, 1) LIMIT 1`,
    );
    this.#count = database.prepare('SELECT count(*) FROM api_key');
  }

  async add(key: ApiKey): Promise<{ readonly added: boolean; readonly key: ApiKey }> {
    return this.#database.write(() => {
      const there = this.#one(this.#byId, key.id) ?? this.#one(this.#byHash, key.hash);
      if (there !== undefined) return { added: false, key: there };
      this.#put(key);
      return { added: true, key };
    });
  }

  async replace(key: ApiKey): Promise<void> {
    await this.#database.write(() => {
      const there = this.#one(this.#byHash, key.hash) ?? this.#one(this.#byId, key.id);
      const root = there ?? key;
      const rootHashes = [...new Set([...(root.rootHashes ?? []), key.hash])];
      if (there === undefined) this.#put({ ...key, rootHashes });
      else this.#rewrite({ ...there, rootHashes });
      for (const other of rowsOf(this.#roots, key.organisationId, root.id).map(keyOf)) {
        if (other.revokedAt !== undefined) continue;
        if (other.rotatedAt === undefined) this.#forget(other.id);
        else this.#rewrite({ ...other, revokedAt: key.createdAt, retired: undefined });
      }
    });
  }

  async byHash(hash: string): Promise<ApiKey | undefined> {
    return translated(() => this.#one(this.#byHash, hash));
  }

  async byId(id: ApiKeyId): Promise<ApiKey | undefined> {
    return translated(() => this.#one(this.#byId, id));
  }

  async get(organisationId: OrganisationId, id: ApiKeyId): Promise<ApiKey | undefined> {
    return translated(() => this.#own(organisationId, id));
  }

  async list(organisationId: OrganisationId, { limit, before }: Page): Promise<readonly ApiKey[]> {
    const { createdAt, id } = before ?? { createdAt: Number.MAX_SAFE_INTEGER, id: '' }; // later than all
    return translated(() => rowsOf(this.#list, organisationId, createdAt, id, limit).map(keyOf));
  }

  async update(
    organisationId: OrganisationId,
    id: ApiKeyId,
    change: (key: ApiKey) => ApiKey,
  ): Promise<{ readonly before: ApiKey; readonly after: ApiKey } | undefined> {
    return this.#database.write(() => {
      const before = this.#own(organisationId, id);
      if (before === undefined) return undefined;
      const after = change(before);
      if (after !== before) this.#rewrite(after);
      return { before, after };
    });
  }

  async revoke(
    organisationId: OrganisationId,
    id: ApiKeyId,
    at: number,
    needed: (key: ApiKey) => NeededKey | undefined,
  ): Promise<Revoked | 'last' | undefined> {
    return this.#database.write(() => {
      const before = this.#own(organisationId, id);
      if (before === undefined) return undefined;
      if (before.revokedAt !== undefined) return { before, after: before };
      const another = needed(before);
      if (another !== undefined) {
        const { scope, opensAt } = another;
        if (rowOf(this.#another, organisationId, id, scope, opensAt) === undefined) return 'last';
      }
      const after = { ...before, revokedAt: at, retired: undefined };
      this.#rewrite(after);
      return { before, after };
    });
  }

  async used(uses: readonly KeyUse[]): Promise<void> {
    await this.#database.write(() => {
      for (const { id, at } of uses) this.#use.run(at, id);
    });
  }

  async count(): Promise<number> {
    return translated(() => Number(rowOf(this.#count)?.[0]));
  }

  #one(statement: StatementSync, value: string): ApiKey | undefined {
    const row = rowOf(statement, value);
    return row === undefined ? undefined : keyOf(row);
  }

  #own(organisationId: OrganisationId, id: ApiKeyId): ApiKey | undefined {
    const key = this.#one(this.#byId, id);
    return key?.organisationId === organisationId ? key : undefined;
  }

  #put(key: ApiKey): void {
    const { id, organisationId, createdAt } = key;
    this.#insert.run(id, organisationId, createdAt, isRoot(key), restOf(key));
    for (const hash of hashesOf(key)) this.#insertValue.run(hash, id);
  }

  #rewrite(key: ApiKey): void {
    this.#update.run(isRoot(key), restOf(key), key.id);
    this.#deleteValues.run(key.id);
    for (const hash of hashesOf(key)) this.#insertValue.run(hash, key.id);
  }

  #forget(id: ApiKeyId): void {
    this.#delete.run(id);
    this.#deleteValues.run(id);
  }
}

/** By which it is found. */
function hashesOf({ hash, retired = [], rootHashes = [] }: ApiKey): ReadonlySet<string> {
  return new Set([hash, ...retired.map((value) => value.hash), ...rootHashes]);
}

function isRoot({ rootHashes }: ApiKey): number {
  return rootHashes === undefined ? 0 : 1;
}

function restOf(key: ApiKey): string {
  const { id: _id, organisationId: _owner, createdAt: _at, lastUsedAt: _used, ...rest } = key;
  return JSON.stringify(rest);
}

function keyOf(row: Row): ApiKey {
  const [id, organisationId, createdAt, lastUsedAt, text] = row as readonly [
    ApiKeyId,
    OrganisationId,
    number,
    number | null,
    string,
  ]; // COLUMNS
  const rest = JSON.parse(text) as Rest; // as restOf wrote it
  return { id, organisationId, createdAt, ...rest, ...(lastUsedAt === null ? {} : { lastUsedAt }) };
}
