/** Credentials as records (secrets/credential-store.ts); the keys themselves are in the secret store. */
import type { StatementSync } from 'node:sqlite';
import type { CredentialId, OrganisationId } from '../../kernel/id.ts';
import type { Credential, CredentialStore } from '../../secrets/credential-store.ts';
import type { Provider } from '../../secrets/provider-table.ts';
import { type Database, type Row, rowOf, rowsOf } from './database.ts';
import { translated } from './translate-error.ts';

type Page = Parameters<CredentialStore['list']>[1];

const COLUMNS =
  'id, organisation_id, provider, name, last4, is_default, created_at, rotated_at, request_hash, secret, agent, requests';
/** What was deleted is kept, so that a replay is known as one. */
const THERE = 'is_deleted = 0';
const OWN = 'id = ? AND organisation_id = ?';

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
      `INSERT INTO credential (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#update = database.prepare(
      `UPDATE credential SET provider = ?3, name = ?4, last4 = ?5, is_default = ?6, created_at = ?7, rotated_at = ?8,
       request_hash = ?9, secret = ?10, agent = ?11, requests = ?12 WHERE id = ?1 AND organisation_id = ?2`,
    );
    this.#endDefault = database.prepare(
      'UPDATE credential SET is_default = 0 WHERE organisation_id = ? AND provider = ? AND is_default = 1',
    );
    this.#byId = database.prepare(`SELECT ${COLUMNS} FROM credential WHERE ${OWN} AND ${THERE}`);
    this.#made = database.prepare(`SELECT ${COLUMNS} FROM credential WHERE ${OWN}`);
    this.#default = database.prepare(
      `SELECT ${COLUMNS} FROM credential WHERE organisation_id = ? AND provider = ? AND is_default = 1`,
    );
    this.#list = database.prepare(
      `SELECT ${COLUMNS} FROM credential
       WHERE organisation_id = ? AND (created_at, id) < (?, ?) AND ${THERE} ORDER BY created_at DESC, id DESC LIMIT ?`,
    );
    this.#delete = database.prepare('UPDATE credential SET is_default = 0, is_deleted = 1 WHERE id = ?');
  }

  async create(
    credential: Credential,
  ): Promise<{ readonly created: boolean; readonly credential: Credential }> {
    return this.#database.write(() => {
      const row = rowOf(this.#made, credential.id, credential.organisationId);
      if (row !== undefined) return { created: false, credential: credentialOf(row) };
      if (credential.isDefault) this.#endDefault.run(credential.organisationId, credential.provider);
      this.#insert.run(...valuesOf(credential));
      return { created: true, credential };
    });
  }

  async update(
    organisationId: OrganisationId,
    id: CredentialId,
    change: (credential: Credential) => Credential,
  ): Promise<{ readonly before: Credential; readonly after: Credential } | undefined> {
    return this.#database.write(() => {
      const before = this.#get(organisationId, id);
      if (before === undefined) return undefined;
      const after = change(before);
      if (after.isDefault) this.#endDefault.run(organisationId, after.provider);
      this.#update.run(...valuesOf(after));
      return { before, after };
    });
  }

  async get(organisationId: OrganisationId, id: CredentialId): Promise<Credential | undefined> {
    return translated(() => this.#get(organisationId, id));
  }

  async defaultOf(organisationId: OrganisationId, provider: Provider): Promise<Credential | undefined> {
    return translated(() => {
      const row = rowOf(this.#default, organisationId, provider);
      return row === undefined ? undefined : credentialOf(row);
    });
  }

  async list(organisationId: OrganisationId, { limit, before }: Page): Promise<readonly Credential[]> {
    const { createdAt, id } = before ?? { createdAt: Number.MAX_SAFE_INTEGER, id: '' }; // later than all
    return translated(() => rowsOf(this.#list, organisationId, createdAt, id, limit).map(credentialOf));
  }

  async made(organisationId: OrganisationId, id: CredentialId): Promise<Credential | undefined> {
    return translated(() => {
      const row = rowOf(this.#made, id, organisationId);
      return row === undefined ? undefined : credentialOf(row);
    });
  }

  async delete(organisationId: OrganisationId, id: CredentialId): Promise<Credential | undefined> {
    return this.#database.write(() => {
      const found = this.#get(organisationId, id);
      if (found !== undefined) this.#delete.run(id);
      return found;
    });
  }

  #get(organisationId: OrganisationId, id: CredentialId): Credential | undefined {
    const row = rowOf(this.#byId, id, organisationId);
    return row === undefined ? undefined : credentialOf(row);
  }
}

function valuesOf(credential: Credential): (string | number | null)[] {
  const { id, organisationId, provider, name, last4, isDefault, createdAt, rotatedAt } = credential;
  const { requestHash, secret, agent, requests } = credential;
  const told = [id, organisationId, provider, name ?? null, last4, isDefault ? 1 : 0, createdAt, rotatedAt];
  return [
    ...told,
    requestHash,
    secret,
    agent ?? null,
    requests === undefined ? null : JSON.stringify(requests),
  ];
}

function credentialOf(row: Row): Credential {
  // COLUMNS, as valuesOf wrote them.
  const [id, organisationId, provider, name, last4, isDefault, createdAt, rotatedAt, ...rest] =
    row as readonly [
      CredentialId,
      OrganisationId,
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
  const [requestHash, secret, agent, requests] = rest;
  return {
    id,
    organisationId,
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
