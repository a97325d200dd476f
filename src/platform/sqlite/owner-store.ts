/** Heartbeats of supervisors (supervisor/owner-store.ts). */
import type { StatementSync } from 'node:sqlite';
import type { Heartbeat, OwnerStore } from '../../supervisor/owner-store.ts';
import { type Database, rowsOf } from './database.ts';
import { translated } from './translate-error.ts';

export class SqliteOwnerStore implements OwnerStore {
  readonly #database: Database;
  readonly #beat: StatementSync;
  readonly #all: StatementSync;
  readonly #retire: StatementSync;

  constructor(database: Database) {
    this.#database = database;
    this.#beat = database.prepare(
      'INSERT INTO owner (name, beats) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET beats = beats + 1',
    );
    this.#all = database.prepare('SELECT name, beats FROM owner ORDER BY name');
    this.#retire = database.prepare('DELETE FROM owner WHERE name = ?');
  }

  async beat(owner: string): Promise<void> {
    await this.#database.write(() => this.#beat.run(owner));
  }

  async heartbeats(): Promise<readonly Heartbeat[]> {
    return translated(() =>
      rowsOf(this.#all).map((row) => {
        const [owner, beats] = row as readonly [string, number]; // columns of #all
        return { owner, beats };
      }),
    );
  }

  async retire(owner: string): Promise<void> {
    await this.#database.write(() => this.#retire.run(owner));
  }
}
