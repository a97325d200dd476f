/** The rows of sessions and turns: origin and state as JSON, beside them the columns that lists and loops look for, and whose it is. */
import type { StatementSync } from 'node:sqlite';
import type { AgentId, OrganisationId, SessionId, TurnId } from '../../kernel/id.ts';
import { hasWaited } from '../../sessions/waits.ts';
import { partsOf, type Session, type Turn } from '../../sessions/session.ts';
import type { SessionEntry, SessionFilter, SessionPage } from '../../sessions/session-store.ts';
import { dueAt } from '../../sessions/due.ts';
import { AgentGone } from '../../sessions/faults.ts';
import { type Database, type Row, rowOf, rowsOf } from './database.ts';
import { HEAD, WaitsPlaces, waitsColumns } from './inbox-store.ts';
import { SessionQueue } from './session-queue.ts';

export interface SessionRow {
  readonly key: number;
  readonly session: Session;
}

export class SessionTable {
  readonly queue: SessionQueue;
  readonly #database: Database;
  readonly #insert: StatementSync;
  readonly #places: WaitsPlaces;
  readonly #update: StatementSync;
  readonly #remove: StatementSync;
  readonly #byId: StatementSync;
  readonly #ownById: StatementSync;
  readonly #idOfKey: StatementSync;
  readonly #deletedAgent: StatementSync;
  readonly #putTurn: StatementSync;
  readonly #turns: StatementSync;
  readonly #turn: StatementSync;
  /** Of the sessions that were ever here, as far as anything of them is left. */
  #lastKey: number;
  /** Of list(), by their conditions: at most one for each combination. */
  readonly #lists = new Map<string, StatementSync>();

  constructor(database: Database) {
    this.#database = database;
    this.queue = new SessionQueue(database);
    this.#places = new WaitsPlaces(database);
    this.#insert = database.prepare(
      `INSERT INTO session (key, id, organisation_id, natural_key, agent_id, status, status_at, lease_owner, due_at, created_at,
         origin, state, waits_since, waits_seq, waits_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#remove = database.prepare('DELETE FROM session WHERE key = ?');
    // of one that is deleted until nothing has its key any more: SQLite alone would give the highest again
    const highest = database.prepare(
      `SELECT max(coalesce((SELECT max(key) FROM session), 0),
         coalesce((SELECT max(session_key) FROM tombstone WHERE session_key IS NOT NULL), 0))`,
    );
    this.#lastKey = Number(rowOf(highest)?.[0]);
    this.#update = database.prepare(
      `UPDATE session SET status = ?1, status_at = ?2, lease_owner = ?3, state = ?4, waits_since = ?5, waits_seq = ?6,
       waits_at = CASE WHEN waits_seq IS ?6 THEN waits_at ELSE ?7 END, due_at = ?9 WHERE key = ?8`,
    );
    this.#byId = database.prepare('SELECT key, organisation_id, origin, state FROM session WHERE id = ?');
    this.#ownById = database.prepare(
      'SELECT key, organisation_id, origin, state FROM session WHERE id = ? AND organisation_id = ?',
    );
    this.#idOfKey = database.prepare('SELECT id FROM session WHERE organisation_id = ? AND natural_key = ?');
    this.#deletedAgent = database.prepare('SELECT 1 FROM agent WHERE id = ? AND deleted_at IS NOT NULL');
    this.#putTurn = database.prepare(
      `INSERT INTO turn (session, number, id, turn) VALUES (?, ?, ?, ?)
       ON CONFLICT (session, number) DO UPDATE SET turn = excluded.turn`,
    );
    this.#turns = database.prepare(
      'SELECT turn FROM turn WHERE session = ? AND number < ? ORDER BY number DESC LIMIT ?',
    );
    this.#turn = database.prepare('SELECT turn FROM turn WHERE session = ? AND id = ?');
  }

  /** Answers the key of the new row. */
  insert(session: Session): number {
    const { origin: whole, state } = partsOf(session);
    const { organisationId, ...origin } = whole;
    const { since, seq } = waitsColumns(session);
    this.#lastKey += 1;
    this.#insert.run(
      this.#lastKey,
      session.id,
      organisationId,
      session.key ?? null,
      session.agentId,
      session.status,
      session.statusAt,
      session.lease?.owner ?? null,
      dueAt(session) ?? null,
      session.createdAt,
      JSON.stringify(origin),
      JSON.stringify(state),
      since,
      seq,
      seq === null ? null : this.#places.next(),
    );
    return this.#lastKey;
  }

  /** The place of the change that its end is to those who knew what it waits for (inbox-store.ts); undefined: nobody did. */
  remove(key: number, session: Session): number | undefined {
    this.#remove.run(key);
    return hasWaited(session) ? this.#places.next() : undefined;
  }

  update(key: number, session: Session): void {
    const { state } = partsOf(session);
    const owner = session.lease?.owner ?? null;
    const due = dueAt(session) ?? null;
    const { since, seq } = waitsColumns(session);
    const place = seq === null ? null : this.#places.next(); // of which one is taken where that has changed
    this.#update.run(
      session.status,
      session.statusAt,
      owner,
      JSON.stringify(state),
      since,
      seq,
      place,
      key,
      due,
    );
  }

  /** `organisationId`: only if it is that one's. */
  get(id: SessionId, organisationId?: OrganisationId): SessionRow | undefined {
    const row =
      organisationId === undefined ? rowOf(this.#byId, id) : rowOf(this.#ownById, id, organisationId);
    if (row === undefined) return undefined;
    const [key, ...session] = row as readonly [number, OrganisationId, string, string]; // columns of both
    return { key, session: joined(...session) };
  }

  idOfKey(organisationId: OrganisationId, naturalKey: string): SessionId | undefined {
    return rowOf(this.#idOfKey, organisationId, naturalKey)?.[0] as SessionId | undefined; // an id that insert() wrote
  }

  /** AGENT-1. Throws AgentGone. */
  refuseDeletedAgent(agentId: AgentId): void {
    if (rowOf(this.#deletedAgent, agentId) !== undefined) throw new AgentGone(agentId);
  }

  list(organisationId: OrganisationId, filter: SessionFilter, page: SessionPage): readonly SessionEntry[] {
    const conditions: string[] = ['organisation_id = ?'];
    const values: (string | number)[] = [organisationId];
    const where = (condition: string, ...given: readonly (string | number)[]): void => {
      conditions.push(condition);
      values.push(...given);
    };
    if (filter.status !== undefined) where('status = ?', filter.status);
    if (filter.agentId !== undefined) where('agent_id = ?', filter.agentId);
    if (filter.key !== undefined) where('natural_key = ?', filter.key);
    if (page.before !== undefined) where('(created_at, id) < (?, ?)', page.before.createdAt, page.before.id);
    return rowsOf(this.#listOf(conditions.join(' AND ')), ...values, page.limit).map(entryOf);
  }

  putTurn(session: number, turn: Turn): void {
    this.#putTurn.run(session, turn.number, turn.id, JSON.stringify(turn));
  }

  turns(session: number, before: number, limit: number): readonly Turn[] {
    return rowsOf(this.#turns, session, before, limit).map(turnOf);
  }

  turn(session: number, turnId: TurnId): Turn | undefined {
    const row = rowOf(this.#turn, session, turnId);
    return row === undefined ? undefined : turnOf(row);
  }

  #listOf(conditions: string): StatementSync {
    const known = this.#lists.get(conditions);
    if (known !== undefined) return known;
    const made = this.#database.prepare(
      `SELECT organisation_id, origin, state, ${HEAD} FROM session WHERE ${conditions} ORDER BY created_at DESC, id DESC LIMIT ?`,
    );
    this.#lists.set(conditions, made);
    return made;
  }
}

function joined(organisationId: OrganisationId, origin: string, state: string): Session {
  const session: Session = { ...JSON.parse(origin), organisationId, ...JSON.parse(state) };
  return session;
}

export function entryOf(row: Row): SessionEntry {
  const [organisationId, origin, state, head] = row as readonly [OrganisationId, string, string, number]; // columns of list()
  return { session: joined(organisationId, origin, state), head };
}

function turnOf(row: Row): Turn {
  return JSON.parse(row[0] as string); // the one column of the turns' statements
}
