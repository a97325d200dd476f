/** Agents and their revisions (sessions/agent-store.ts). */
import type { StatementSync } from 'node:sqlite';
import type { AgentId, OrganisationId, SessionId } from '../../kernel/id.ts';
import type { Agent, AgentRevision } from '../../sessions/agent.ts';
import type { AgentDeleted, AgentDeletion, AgentStore } from '../../sessions/agent-store.ts';
import { type Database, type Row, rowOf, rowsOf } from './database.ts';
import { translated } from './translate-error.ts';

type Page = Parameters<AgentStore['list']>[1];
/** Greater than every place: a list without `before` starts here. */
const NEWEST = { createdAt: Number.MAX_SAFE_INTEGER, id: '' };

export class SqliteAgentStore implements AgentStore {
  readonly #database: Database;
  readonly #insert: StatementSync;
  readonly #update: StatementSync;
  readonly #addRevision: StatementSync;
  readonly #byId: StatementSync;
  readonly #byName: StatementSync;
  readonly #list: StatementSync;
  readonly #delete: StatementSync;
  readonly #inUse: StatementSync;
  readonly #revision: StatementSync;

  constructor(database: Database) {
    this.#database = database;
    this.#insert = database.prepare(
      'INSERT INTO agent (id, organisation_id, name, created_at, updated_at, agent) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#update = database.prepare(
      `UPDATE agent SET name = ?, updated_at = ?, agent = ?
       WHERE id = ? AND organisation_id = ? AND updated_at = ? AND deleted_at IS NULL`,
    );
    this.#addRevision = database.prepare(
      'INSERT INTO agent_revision (agent_id, number, revision) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
    );
    this.#byId = database.prepare(
      'SELECT organisation_id, agent FROM agent WHERE id = ? AND organisation_id = ?',
    );
    this.#byName = database.prepare(
      'SELECT organisation_id, agent FROM agent WHERE name = ? AND organisation_id = ? AND deleted_at IS NULL',
    );
    this.#list = database.prepare(
      `SELECT organisation_id, agent FROM agent WHERE organisation_id = ? AND (created_at, id) < (?, ?) AND deleted_at IS NULL
       ORDER BY created_at DESC, id DESC LIMIT ?`,
    );
    this.#delete = database.prepare(
      'UPDATE agent SET deleted_at = ?, updated_at = ?, agent = ? WHERE id = ?',
    );
    // Of what is queued or runs, which is little, and not of all that the agent ever had.
    this.#inUse = database.prepare(
      `SELECT id FROM session INDEXED BY session_newest_of_status
       WHERE organisation_id = ? AND status IN ('queued', 'running') AND agent_id = ? LIMIT 1`,
    );
    this.#revision = database.prepare(
      `SELECT revision FROM agent_revision WHERE agent_id = ?1 AND number = ?2
       AND EXISTS (SELECT 1 FROM agent WHERE id = ?1 AND organisation_id = ?3)`,
    );
  }

  async create(agent: Agent): Promise<{ readonly created: boolean; readonly agent: Agent }> {
    return this.#database.write(() => {
      const { organisationId } = agent;
      const there =
        this.#one(this.#byId, agent.id, organisationId) ??
        this.#one(this.#byName, agent.name, organisationId);
      if (there !== undefined) return { created: false, agent: there };
      this.#insert.run(agent.id, organisationId, agent.name, agent.createdAt, agent.updatedAt, textOf(agent));
      this.#addRevision.run(agent.id, agent.revision.number, JSON.stringify(agent.revision));
      return { created: true, agent };
    });
  }

  async update(agent: Agent, readAt: number): Promise<boolean> {
    return this.#database.write(() => {
      const { changes } = this.#update.run(
        agent.name,
        agent.updatedAt,
        textOf(agent),
        agent.id,
        agent.organisationId,
        readAt,
      );
      if (changes === 0) return false;
      this.#addRevision.run(agent.id, agent.revision.number, JSON.stringify(agent.revision));
      return true;
    });
  }

  /** AGENT-1: the sessions that it has are those of this moment, since a start looks for the agent in its own transaction. */
  async delete(
    organisationId: OrganisationId,
    id: AgentId,
    { at, force }: AgentDeletion,
  ): Promise<AgentDeleted | undefined> {
    return this.#database.write(() => {
      const there = this.#one(this.#byId, id, organisationId);
      if (there === undefined) return undefined;
      if (there.deletedAt !== undefined) return { kind: 'deleted', agent: there, replayed: true };
      const inUse = rowOf(this.#inUse, organisationId, id);
      // as: an id that the journal wrote
      if (!force && inUse !== undefined) return { kind: 'inUse', sessionId: inUse[0] as SessionId };
      const agent = { ...there, deletedAt: at, updatedAt: Math.max(at, there.updatedAt + 1) };
      this.#delete.run(at, agent.updatedAt, textOf(agent), id);
      return { kind: 'deleted', agent, replayed: false };
    });
  }

  async get(organisationId: OrganisationId, id: AgentId): Promise<Agent | undefined> {
    return translated(() => this.#one(this.#byId, id, organisationId));
  }

  async byName(organisationId: OrganisationId, name: string): Promise<Agent | undefined> {
    return translated(() => this.#one(this.#byName, name, organisationId));
  }

  async list(
    organisationId: OrganisationId,
    { limit, before = NEWEST as NonNullable<Page['before']> }: Page,
  ): Promise<readonly Agent[]> {
    return translated(() =>
      rowsOf(this.#list, organisationId, before.createdAt, before.id, limit).map(agentOf),
    );
  }

  async revision(
    organisationId: OrganisationId,
    id: AgentId,
    number: number,
  ): Promise<AgentRevision | undefined> {
    return translated(() => {
      const row = rowOf(this.#revision, id, number, organisationId);
      return row === undefined ? undefined : JSON.parse(row[0] as string); // its one column
    });
  }

  #one(statement: StatementSync, value: string, organisationId: OrganisationId): Agent | undefined {
    const row = rowOf(statement, value, organisationId);
    return row === undefined ? undefined : agentOf(row);
  }
}

/** Whose it is stands in its column alone. */
function textOf({ organisationId: _column, ...agent }: Agent): string {
  return JSON.stringify(agent);
}

function agentOf(row: Row): Agent {
  const [organisationId, text] = row as readonly [OrganisationId, string]; // as selected
  const { id, ...agent } = JSON.parse(text);
  return { id, organisationId, ...agent };
}
