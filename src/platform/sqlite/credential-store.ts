/** Credentials as records (secrets/credential-store.ts); the keys themselves are in the secret store. */
import type { StatementSync } from 'node:sqlite';
import type { CredentialId } from '../../kernel/id.ts';
import type { Credential, CredentialStore } from '../../secrets/credential-store.ts';
import type { Provider } from '../../secrets/provider-table.ts';
import { type Database, type Row, rowOf, rowsOf } from './database.ts';
import { translated } from './translate-error.ts';

type Page = Parameters<CredentialStore['list']>[0];

const COLUMNS =
  'id, provider, name, last4, is_default, created_at, rotated_at, request_hash, secret, agent, requests';
/** What was deleted is kept, so that a replay is known as one. */
const THERE = 'is_deleted = 0';

export class SqliteCredentialStore implements CredentialStore {
  readonly #database: Database;
  readonly #insert: StatementSync;
  readonly #update: StatementSync;
  readonly #endDefault: StatementSync;
  readonly #byId: StatementSync;
  readonly #made: StatementSync;
  readonly #default: StatementSync;
  readonly #list: StatementSync;
  readonly #delete: StatementSync;

  constructor(database: Database) {
    this.#database = database;
    this.#insert = database.prepare(
      `INSERT INTO credential (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#update = database.prepare(
      `UPDATE credential SET provider = ?2, name = ?3, last4 = ?4, is_default = ?5, created_at = ?6, rotated_at = ?7,
       request_hash = ?8, secret = ?9, agent = ?10, requests = ?11 WHERE id = ?1`,
    );
    this.#endDefault = database.prepare(
      'UPDATE credential SET is_default = 0 WHERE provider = ? AND is_default = 1',
    );
    this.#byId = database.prepare(`SELECT ${COLUMNS} FROM credential WHERE id = ? AND ${THERE}`);
    this.#made = database.prepare(`SELECT ${COLUMNS} FROM credential WHERE id = ?`);
    this.#default = database.prepare(
      `SELECT ${COLUMNS} FROM credential WHERE provider = ? AND is_default = 1`,
    );
    this.#list = database.prepare(
      `SELECT ${COLUMNS} FROM credential WHERE (created_at, id) < (?, ?) AND ${THERE} ORDER BY created_at DESC, id DESC LIMIT ?`,
    );
    this.#delete = database.prepare('UPDATE credential SET is_default = 0, is_deleted = 1 WHERE id = ?');
  }

  async create(
    credential: Credential,
  ): Promise<{ readonly created: boolean; readonly credential: Credential }> {
    return this.#database.write(() => {
      const row = rowOf(this.#made, credential.id);
      if (row !== undefined) return { created: false, credential: credentialOf(row) };
      if (credential.isDefault) this.#endDefault.run(credential.provider);
      this.#insert.run(...valuesOf(credential));
      return { created: true, credential };
    });
  }

  async update(
    id: CredentialId,
    change: (credential: Credential) => Credential,
  ): Promise<{ readonly before: Credential; readonly after: Credential } | undefined> {
    return this.#database.write(() => {
      const before = this.#get(id);
      if (before === undefined) return undefined;
      const after = change(before);
      if (after.isDefault) this.#endDefault.run(after.provider);
      this.#update.run(...valuesOf(after));
      return { before, after };
    });
  }

  async get(id: CredentialId): Promise<Credential | undefined> {
    return translated(() => this.#get(id));
  }

  async defaultOf(provider: Provider): Promise<Credential | undefined> {
    return translated(() => {
      const row = rowOf(this.#default, provider);
      return row === undefined ? undefined : credentialOf(row);
    });
  }

  async list({ limit, before }: Page): Promise<readonly Credential[]> {
    const { createdAt, id } = before ?? { createdAt: Number.MAX_SAFE_INTEGER, id: '' }; // later than all
    return translated(() => rowsOf(this.#list, createdAt, id, limit).map(credentialOf));
  }

  async made(id: CredentialId): Promise<Credential | undefined> {
    return translated(() => {
      const row = rowOf(this.#made, id);
      return row === undefined ? undefined : credentialOf(row);
    });
  }

  async delete(id: CredentialId): Promise<Credential | undefined> {
    return this.#database.write(() => {
      const found = this.#get(id);
      if (found !== undefined) this.#delete.run(id);
      return found;
    });
  }

  #get(id: CredentialId): Credential | undefined {
    const row = rowOf(this.#byId, id);
    return row === undefined ? undefined : credentialOf(row);
  }
}

function valuesOf(credential: Credential): (string | number | null)[] {
  const { id, provider, name, last4, isDefault, createdAt, rotatedAt, requestHash } = credential;
  const { secret, agent, requests } = credential;
  const told = [id, provider, name ?? null, last4, isDefault ? 1 : 0, createdAt, rotatedAt, requestHash];
  return [...told, secret, agent ?? null, requests === undefined ? null : JSON.stringify(requests)];
}

function credentialOf(row: Row): Credential {
  // COLUMNS, as valuesOf wrote them.
  const [id, provider, name, last4, isDefault, createdAt, rotatedAt, requestHash, secret, agent, requests] =
    row as readonly [
      CredentialId,
      Provider,
      string | null,
      string,
      number,
      number,
      number,
      string,
      string,
      string | null,
      string | null,
    ];
  return {
    id,
    provider,
    name: name ?? undefined,
    last4,
    isDefault: isDefault === 1,
    createdAt,
    rotatedAt,
    requestHash,
    secret,
    agent: agent ?? undefined,
    requests: requests === null ? undefined : JSON.parse(requests),
  };
}
