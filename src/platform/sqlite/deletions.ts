/**
 * Deleting sessions (sessions/deletion-store.ts) in the group commits of the journal, so that a deletion and the appends beside it have one order
 * (DELETE-1), and a step of erasing is as small as a commit.
 *
 * ERASE-1 A step deletes ERASED_ROWS_MAX rows, of ERASED_BYTES_MAX bodies, and then lets others commit. The end of the log goes first, so a
 *    log that is half erased is one with fewer events.
 *
 * What is deleted is overwritten with zeros (SQLITE-5); once nothing is pending the write-ahead log is emptied, too.
 */
import type { StatementSync } from 'node:sqlite';
import type { OrganisationId, SessionId } from '../../kernel/id.ts';
import type { DeletionStore, Begun, Standing, Tombstone } from '../../sessions/deletion-store.ts';
import type { AppendKeys } from './append-keys.ts';
import { type Database, type Row, rowsOf } from './database.ts';
import type { Loaded, LoadedSessions } from './loaded-sessions.ts';
import type { SessionTable } from './session-table.ts';
import type { TombstoneTable } from './tombstone-table.ts';
import { halfWritten, type Outcome } from './writing.ts';

/** Rows of one step: some 2 ms of the event loop. */
export const ERASED_ROWS_MAX = 200;
/** Bytes of bodies in one step, and one body at least: each page of them is written once more, with zeros. */
export const ERASED_BYTES_MAX = 1024 * 1024;

export interface DeletionsPorts {
  readonly database: Database;
  readonly sessions: SessionTable;
  readonly tombstones: TombstoneTable;
  readonly loaded: LoadedSessions;
  readonly keys: AppendKeys;
  /** Runs `write` inside the next commit. */
  commit<T>(write: () => Outcome<T>): Promise<T>;
  /** For readers: when the disk has what is there (COMMIT-5). */
  look<T>(read: () => T): Promise<T>;
  /** In the running commit: whoever listens is told after it. */
  gone(loaded: Loaded): void;
}

export class SqliteDeletions implements DeletionStore {
  /** Whoever writes is this process, and what it has begun before comes before the deletion. */
  readonly lateMs = 0;
  readonly #ports: DeletionsPorts;
  readonly #newest: StatementSync;
  readonly #bodies: StatementSync;
  readonly #events: StatementSync;
  readonly #turns: StatementSync;
  readonly #keys: StatementSync;

  constructor(ports: DeletionsPorts) {
    this.#ports = ports;
    const { database } = ports;
    // octet_length() of a text is known without reading it
    this.#newest = database.prepare(
      `SELECT seq, coalesce(spilled_bytes, 0) + octet_length(body) FROM event WHERE session = ? ORDER BY seq DESC LIMIT ?`,
    );
    this.#bodies = database.prepare('DELETE FROM event_body WHERE session = ? AND seq >= ?');
    this.#events = database.prepare('DELETE FROM event WHERE session = ? AND seq >= ?');
    this.#turns = database.prepare(
      'DELETE FROM turn WHERE rowid IN (SELECT rowid FROM turn WHERE session = ? LIMIT ?)',
    );
    this.#keys = database.prepare(
      `DELETE FROM append_key WHERE session = ?1 AND key IN (SELECT key FROM append_key WHERE session = ?1 LIMIT ?2)`,
    );
  }

  begin(tombstone: Tombstone, seen?: Standing): Promise<Begun | undefined> {
    return this.#ports.commit(() => this.#begin(tombstone, seen));
  }

  tombstone(id: SessionId, organisationId: OrganisationId): Promise<Tombstone | undefined> {
    return this.#ports.look(() => this.#ports.tombstones.find(id, organisationId));
  }

  pending(page: Parameters<DeletionStore['pending']>[0]): Promise<readonly SessionId[]> {
    return this.#ports.look(() => this.#ports.tombstones.pending(page));
  }

  erase(ids: readonly SessionId[]): Promise<readonly SessionId[]> {
    return this.#ports.commit(() => {
      const erased: SessionId[] = [];
      const left: Left = { rows: ERASED_ROWS_MAX, bytes: ERASED_BYTES_MAX };
      halfWritten(() => {
        for (const id of ids) {
          const key = this.#ports.tombstones.keyOf(id);
          if (key !== undefined && !this.#eraseSome(key, left)) break;
          erased.push(id);
        }
      });
      return { rows: ERASED_ROWS_MAX - left.rows, answer: erased };
    });
  }

  finish(ids: readonly SessionId[]): Promise<void> {
    return this.#ports.commit(() => {
      for (const id of ids) this.#ports.tombstones.finish(id);
      return { rows: ids.length, answer: undefined };
    });
  }

  /** Of what the write-ahead log still holds. */
  overwrite(): Promise<boolean> {
    return this.#ports.database.truncateLog();
  }

  #begin(tombstone: Tombstone, seen: Standing | undefined): Outcome<Begun | undefined> {
    const { tombstones, loaded, sessions, gone } = this.#ports;
    const { id, organisationId } = tombstone;
    const before = tombstones.find(id, organisationId);
    if (before !== undefined) return { rows: 0, answer: { tombstone: before, replayed: true } };
    const there = loaded.get(id, organisationId);
    if (there === undefined || !standsAs(there.session, seen)) return { rows: 0, answer: undefined };
    halfWritten(() => {
      const waitsAt = sessions.remove(there.key, there.session); // DELETE-1
      tombstones.insert(tombstone, there.key, waitsAt);
    });
    loaded.forget(id);
    gone(there);
    return { rows: 2, answer: { tombstone, replayed: false } };
  }

  /** False when there may be more of the session: what a step may delete is used up. */
  #eraseSome(session: number, left: Left): boolean {
    if (!this.#eraseEvents(session, left)) return false;
    this.#ports.keys.forget(session);
    for (const rest of [this.#turns, this.#keys]) left.rows -= Number(rest.run(session, left.rows).changes);
    return left.rows > 0;
  }

  /** ERASE-1 */
  #eraseEvents(session: number, left: Left): boolean {
    const newest = rowsOf(this.#newest, session, left.rows) as readonly (Row & readonly [number, number])[]; // as selected
    let count = 0;
    for (const [, bytes] of newest) {
      if (count > 0 && bytes > left.bytes) break;
      count += 1;
      left.bytes -= bytes;
    }
    const last = newest[count - 1];
    if (last === undefined) return left.rows > 0;
    const [from] = last;
    this.#bodies.run(session, from);
    this.#events.run(session, from);
    this.#ports.keys.rowsDeleted();
    const isCut = count < newest.length || count === left.rows;
    left.rows -= count;
    return !isCut;
  }
}

/** What a step may still delete. */
interface Left {
  rows: number;
  bytes: number;
}

/** RETENTION-4. */
function standsAs({ status, statusAt }: Standing, seen: Standing | undefined): boolean {
  return seen === undefined || (seen.status === status && seen.statusAt === statusAt);
}
