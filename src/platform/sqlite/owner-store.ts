/** Heartbeats of supervisors (supervisor/owner-store.ts). */
import type { StatementSync } from 'node:sqlite';
import type { Heartbeat, OwnerStore } from '../../supervisor/owner-store.ts';
import { type Database, rowsOf } from './database.ts';
import { translated } from './translate-error.ts';

/** Every start of a server is a new owner: those that have been dead for a day are swept out by the next heartbeat. */
const DEAD_KEPT_MS = 86_400_000;

export class SqliteOwnerStore implements OwnerStore {
  readonly #database: Database;
  readonly #beat: StatementSync;
  readonly #sweep: StatementSync;
  readonly #all: StatementSync;
  readonly #retire: StatementSync;

  constructor(database: Database) {
    this.#database = database;
    this.#beat = database.prepare(
      `INSERT INTO owner (name, expires_at) VALUES (?, ?)
       ON CONFLICT (name) DO UPDATE SET expires_at = max(expires_at, excluded.expires_at)`,
    );
    this.#sweep = database.prepare('DELETE FROM owner WHERE expires_at < ?');
    this.#all = database.prepare('SELECT name, expires_at FROM owner ORDER BY name');
    this.#retire = database.prepare('DELETE FROM owner WHERE name = ?');
  }

  async beat(owner: string, expiresAt: number): Promise<void> {
    await this.#database.write(() => {
      this.#beat.run(owner, expiresAt);
      this.#sweep.run(expiresAt - DEAD_KEPT_MS);
    });
  }

  async heartbeats(): Promise<readonly Heartbeat[]> {
    return translated(() =>
      rowsOf(this.#all).map((row) => {
        const [owner, expiresAt] = row as readonly [string, number]; // columns of #all
        return { owner, expiresAt };
      }),
    );
  }

  async retire(owner: string): Promise<void> {
    await this.#database.write(() => this.#retire.run(owner));
  }
}
