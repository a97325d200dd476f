/** API keys (access/key-store.ts): only their hashes rest. */
import type { StatementSync } from 'node:sqlite';
import type { ApiKey, KeyStore } from '../../access/key-store.ts';
import type { ApiKeyId, OrganisationId } from '../../kernel/id.ts';
import { type Database, rowOf } from './database.ts';
import { translated } from './translate-error.ts';

export class SqliteKeyStore implements KeyStore {
  readonly #database: Database;
  readonly #add: StatementSync;
  readonly #name: StatementSync;
  readonly #forgetOthers: StatementSync;
  readonly #byHash: StatementSync;
  readonly #count: StatementSync;

  constructor(database: Database) {
    this.#database = database;
    this.#add = database.prepare(
      `INSERT INTO api_key (id, organisation_id, name, hash, created_at) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (hash) DO NOTHING`,
    );
    this.#name = database.prepare('UPDATE api_key SET name = ? WHERE hash = ?');
    this.#forgetOthers = database.prepare(
      'DELETE FROM api_key WHERE organisation_id = ? AND name = ? AND hash <> ?',
    );
    this.#byHash = database.prepare(
      'SELECT id, organisation_id, name, hash, created_at FROM api_key WHERE hash = ?',
    );
    this.#count = database.prepare('SELECT count(*) FROM api_key');
  }

  async add(key: ApiKey): Promise<void> {
    await this.#database.write(() => this.#insert(key));
  }

  async replace(key: ApiKey): Promise<void> {
    await this.#database.write(() => {
      this.#forgetOthers.run(key.organisationId, key.name, key.hash);
      this.#insert(key);
      this.#name.run(key.name, key.hash);
    });
  }

  async byHash(hash: string): Promise<ApiKey | undefined> {
    return translated(() => {
      const row = rowOf(this.#byHash, hash);
      if (row === undefined) return undefined;
      const [id, organisationId, name, ownHash, createdAt] = row as readonly [
        ApiKeyId,
        OrganisationId,
        string,
        string,
        number,
      ]; // columns of #byHash
      return { id, organisationId, name, hash: ownHash, createdAt };
    });
  }

  async count(): Promise<number> {
    return translated(() => Number(rowOf(this.#count)?.[0]));
  }

  #insert({ id, organisationId, name, hash, createdAt }: ApiKey): void {
    this.#add.run(id, organisationId, name, hash, createdAt);
  }
}
