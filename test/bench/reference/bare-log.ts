/**
 * The least that is durable: node:sqlite, write-ahead log, synchronous = FULL, cache and checkpoints as ours has them, the same
 * columns in a rowid table with UNIQUE (session integer, seq). No record, no checks, no keys, no epochs.
 */
import { DatabaseSync } from 'node:sqlite';

export interface BareRow {
  readonly session: number;
  readonly seq: number;
  readonly at: number;
  readonly type: string;
  readonly level: string;
  readonly turn: string;
  readonly actor: string;
  readonly body: string;
}

export class BareLog {
  readonly #database: DatabaseSync;
  readonly #insertion;
  #waiting: { readonly row: BareRow; readonly settle: () => void }[] = [];

  constructor(path: string) {
    this.#database = new DatabaseSync(path);
    this.#database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
      PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 8192; PRAGMA temp_store = MEMORY;
      CREATE TABLE event (rowid INTEGER PRIMARY KEY, session INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL,
        type TEXT NOT NULL, level TEXT NOT NULL, turn TEXT, actor TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (session, seq)) STRICT`);
    this.#insertion = this.#database.prepare(
      'INSERT INTO event (session, seq, at, type, level, turn, actor, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    );
  }

  /** All rows in one commit, now. */
  insert(rows: readonly BareRow[]): void {
    this.#database.exec('BEGIN');
    for (const { session, seq, at, type, level, turn, actor, body } of rows) {
      this.#insertion.run(session, seq, at, type, level, turn, actor, body);
    }
    this.#database.exec('COMMIT');
  }

  /** With all others of this turn of the event loop. */
  append(row: BareRow): Promise<void> {
    if (this.#waiting.length === 0) setImmediate(() => this.#commit());
    return new Promise((settle) => this.#waiting.push({ row, settle }));
  }

  close(): void {
    this.#database.close();
  }

  #commit(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.insert(waiting.map(({ row }) => row));
    for (const { settle } of waiting) settle();
  }
}
