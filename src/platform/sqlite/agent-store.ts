/** Agents and their revisions (sessions/agent-store.ts). */
import type { StatementSync } from 'node:sqlite';
import type { AgentId } from '../../kernel/id.ts';
import type { Agent, AgentRevision } from '../../sessions/agent.ts';
import type { AgentStore } from '../../sessions/agent-store.ts';
import { type Database, rowOf, rowsOf } from './database.ts';
import { translated } from './translate-error.ts';

type Page = Parameters<AgentStore['list']>[0];
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
  readonly #revision: StatementSync;

  constructor(database: Database) {
    this.#database = database;
    this.#insert = database.prepare(
      'INSERT INTO agent (id, name, created_at, updated_at, agent) VALUES (?, ?, ?, ?, ?)',
    );
    this.#update = database.prepare(
      'UPDATE agent SET name = ?, updated_at = ?, agent = ? WHERE id = ? AND updated_at = ?',
    );
    this.#addRevision = database.prepare(
      'INSERT INTO agent_revision (agent_id, number, revision) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
    );
    this.#byId = database.prepare('SELECT agent FROM agent WHERE id = ?');
    this.#byName = database.prepare('SELECT agent FROM agent WHERE name = ?');
    this.#list = database.prepare(
      'SELECT agent FROM agent WHERE (created_at, id) < (?, ?) ORDER BY created_at DESC, id DESC LIMIT ?',
    );
    this.#revision = database.prepare(
      'SELECT revision FROM agent_revision WHERE agent_id = ? AND number = ?',
    );
  }

  async create(agent: Agent): Promise<{ readonly created: boolean; readonly agent: Agent }> {
    return this.#database.write(() => {
      const there = this.#one(this.#byId, agent.id) ?? this.#one(this.#byName, agent.name);
      if (there !== undefined) return { created: false, agent: there };
      this.#insert.run(agent.id, agent.name, agent.createdAt, agent.updatedAt, JSON.stringify(agent));
      this.#addRevision.run(agent.id, agent.revision.number, JSON.stringify(agent.revision));
      return { created: true, agent };
    });
  }

  async update(agent: Agent, readAt: number): Promise<boolean> {
    return this.#database.write(() => {
      const { changes } = this.#update.run(
        agent.name,
        agent.updatedAt,
        JSON.stringify(agent),
        agent.id,
        readAt,
      );
      if (changes === 0) return false;
      this.#addRevision.run(agent.id, agent.revision.number, JSON.stringify(agent.revision));
      return true;
    });
  }

  async get(id: AgentId): Promise<Agent | undefined> {
    return translated(() => this.#one(this.#byId, id));
  }

  async byName(name: string): Promise<Agent | undefined> {
    return translated(() => this.#one(this.#byName, name));
  }

  async list({ limit, before = NEWEST as NonNullable<Page['before']> }: Page): Promise<readonly Agent[]> {
    return translated(
      () =>
        rowsOf(this.#list, before.createdAt, before.id, limit).map(([agent]) => JSON.parse(agent as string)), // its one column
    );
  }

  async revision(id: AgentId, number: number): Promise<AgentRevision | undefined> {
    return translated(() => {
      const row = rowOf(this.#revision, id, number);
      return row === undefined ? undefined : JSON.parse(row[0] as string); // its one column
    });
  }

  #one(statement: StatementSync, value: string): Agent | undefined {
    const row = rowOf(statement, value);
    return row === undefined ? undefined : JSON.parse(row[0] as string); // its one column
  }
}
