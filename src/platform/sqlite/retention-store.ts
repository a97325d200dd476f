/** Rules of retention, their clock, and what rests (sessions/retention-store.ts). */
import type { StatementSync } from 'node:sqlite';
import type { AgentId, OrganisationId, SessionId } from '../../kernel/id.ts';
import {
  RESTING_STATUSES,
  type Resting,
  type RestingStatus,
  type RetentionRule,
  type RetentionRules,
} from '../../sessions/retention-rule.ts';
import type { KeptRule, RestingPage, RetentionStore } from '../../sessions/retention-store.ts';
import { type Database, type Row, rowOf, rowsOf } from './database.ts';
import { translated } from './translate-error.ts';

/** As the index session_resting says it, which is found by these very words. */
const RESTING = `status IN (${RESTING_STATUSES.map((status) => `'${status}'`).join(', ')})`;
const THIS = 'organisation_id = ? AND agent_id = ?';

export class SqliteRetentionStore implements RetentionStore {
  readonly #database: Database;
  readonly #get: StatementSync;
  readonly #put: StatementSync;
  readonly #rules: StatementSync;
  readonly #next: StatementSync;
  readonly #resting: StatementSync;
  readonly #time: StatementSync;
  readonly #setTime: StatementSync;
  readonly #firstTime: StatementSync;

  constructor(database: Database) {
    this.#database = database;
    this.#get = database.prepare(`SELECT rule FROM retention WHERE ${THIS}`);
    this.#put = database.prepare(
      `INSERT INTO retention (organisation_id, agent_id, rule) VALUES (?, ?, ?)
       ON CONFLICT (organisation_id, agent_id) DO UPDATE SET rule = excluded.rule`,
    );
    // The organisation's has no agent's id, so it comes first.
    this.#rules = database.prepare(
      `SELECT agent_id, json_extract(rule, '$.rule') FROM retention
       WHERE organisation_id = ? AND json_extract(rule, '$.rule') IS NOT NULL ORDER BY agent_id LIMIT ?`,
    );
    this.#next = database.prepare(
      'SELECT organisation_id FROM retention WHERE organisation_id > ? ORDER BY organisation_id LIMIT 1',
    );
    this.#resting = database.prepare(
      `SELECT id, agent_id, status_at, lease_owner FROM session INDEXED BY session_resting
       WHERE organisation_id = ? AND status = ? AND ${RESTING} AND status_at <= ? AND (status_at, id) > (?, ?)
       ORDER BY status_at, id LIMIT ?`,
    );
    this.#time = database.prepare('SELECT at FROM retention_clock');
    this.#setTime = database.prepare('UPDATE retention_clock SET at = ?');
    this.#firstTime = database.prepare('INSERT INTO retention_clock (at) VALUES (?)');
  }

  async get(organisationId: OrganisationId, agentId?: AgentId): Promise<KeptRule | undefined> {
    return translated(() => this.#kept(organisationId, agentId));
  }

  async put(rule: KeptRule, readAt: number | undefined): Promise<boolean> {
    return this.#database.write(() => {
      const { organisationId, agentId } = rule;
      if (this.#kept(organisationId, agentId)?.updatedAt !== readAt) return false;
      this.#put.run(organisationId, agentId ?? '', JSON.stringify(rule));
      return true;
    });
  }

  async rules(organisationId: OrganisationId, agentsMax: number): Promise<RetentionRules> {
    return translated(() => {
      // its columns, as put() wrote them
      const rows = rowsOf(this.#rules, organisationId, agentsMax + 1) as readonly (readonly [
        AgentId | '',
        string,
      ])[];
      const agents = new Map<AgentId, RetentionRule>();
      let organisation: RetentionRule | undefined;
      for (const [agentId, text] of rows) {
        if (agentId === '') organisation = JSON.parse(text);
        else if (agents.size < agentsMax) agents.set(agentId, JSON.parse(text));
      }
      return { organisation, agents };
    });
  }

  async next(after: OrganisationId | undefined): Promise<OrganisationId | undefined> {
    return translated(() => rowOf(this.#next, after ?? '')?.[0] as OrganisationId | undefined); // put() wrote it
  }

  async resting(
    organisationId: OrganisationId,
    status: RestingStatus,
    { limit, until, after }: RestingPage,
  ): Promise<readonly Resting[]> {
    const { statusAt, id } = after ?? { statusAt: Number.MIN_SAFE_INTEGER, id: '' };
    return translated(() =>
      rowsOf(this.#resting, organisationId, status, until, statusAt, id, limit).map((row) =>
        restingOf(row, status),
      ),
    );
  }

  async time(): Promise<number | undefined> {
    return translated(() => rowOf(this.#time)?.[0] as number | undefined); // its one column
  }

  async advance(at: number): Promise<number> {
    return this.#database.write(() => {
      const before = rowOf(this.#time)?.[0] as number | undefined; // its one column
      if (before === undefined) this.#firstTime.run(at);
      else if (at > before) this.#setTime.run(at);
      return Math.max(at, before ?? at);
    });
  }

  #kept(organisationId: OrganisationId, agentId: AgentId | undefined): KeptRule | undefined {
    const row = rowOf(this.#get, organisationId, agentId ?? '');
    return row === undefined ? undefined : JSON.parse(row[0] as string); // its one column, which put() wrote
  }
}

function restingOf(row: Row, status: RestingStatus): Resting {
  const [id, agentId, statusAt, owner] = row as readonly [SessionId, AgentId, number, string | null]; // columns of resting()
  return { id, agentId, status, statusAt, isLeased: owner !== null };
}
