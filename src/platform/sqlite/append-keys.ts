/**
 * Where the append of a key lies (JOURNAL-5). A row in an index for each append would write a page of its own per session and commit,
 * more than the events themselves. So a key stands in the row of its event, waits in memory, and goes into the index with
 * many others, in the order of the index; what waited when the process ended is read again from the rows of the events.
 *
 * Rows of events are numbered by SQLite, which gives the numbers above the highest one again once rows are deleted.
 *
 * KEYS-1 A key is found from the commit of its append on, whether it waits or is in the index, and after any end of the process.
 */
import type { StatementSync } from 'node:sqlite';
import { type Database, rowOf, rowsOf } from './database.ts';
import { KeyFilter } from './key-filter.ts';
import { type AppendPlace, WaitingKeys } from './waiting-keys.ts';

/** Keys that wait: some hundred bytes each, and their way into the index holds the event loop for some 20 ms. */
const KEYS_WAITING_MAX = 8_192;
/** Rows of events that a start may have to look through for keys that waited: some 50 ms. */
const ROWS_UNREAD_MAX = 65_536;

export class AppendKeys {
  readonly #byKey: StatementSync;
  readonly #index: StatementSync;
  readonly #setIndexedTo: StatementSync;
  readonly #highestRow: StatementSync;
  readonly #waiting = new WaitingKeys();
  readonly #filter: KeyFilter;
  /** Of the running commit: what is forgotten when it fails. */
  #added: (readonly [session: number, key: string])[] = [];
  #isIndexing = false;
  /** Keys of event rows up to here are in the index, as the running commit leaves it; and without it. */
  #indexedTo: number;
  #committedTo: number;
  /** The last row of an event, with those of the running commit; and without them. */
  #lastRow: number;
  #committedRow: number;

  constructor(database: Database) {
    this.#byKey = database.prepare(
      'SELECT first_seq, last_seq FROM append_key WHERE session = ? AND key = ?',
    );
    this.#index = database.prepare(
      'INSERT INTO append_key (session, key, first_seq, last_seq) VALUES (?, ?, ?, ?)',
    );
    this.#setIndexedTo = database.prepare('UPDATE append_key_end SET event_row = ?');
    this.#indexedTo = numberOf(database.prepare('SELECT event_row FROM append_key_end'));
    this.#committedTo = this.#indexedTo;
    this.#highestRow = database.prepare('SELECT coalesce(max(rowid), 0) FROM event');
    this.#lastRow = numberOf(this.#highestRow);
    this.#committedRow = this.#lastRow;
    this.#filter = new KeyFilter(numberOf(database.prepare('SELECT coalesce(max(key), 0) FROM session')));
    this.#readWaiting(database); // KEYS-1
  }

  find(session: number, key: string): AppendPlace | undefined {
    const waiting = this.#waiting.get(session, key);
    if (waiting !== undefined) return waiting;
    if (!this.#filter.mayHold(session, key)) return undefined; // KEYS-2
    const row = rowOf(this.#byKey, session, key);
    if (row === undefined) return undefined;
    const [firstSeq, lastSeq] = row as readonly [number, number]; // columns of #byKey
    return { firstSeq, lastSeq };
  }

  /** In the commit that writes the append. */
  add(session: number, key: string, { firstSeq, lastSeq }: AppendPlace): void {
    this.#waiting.set(session, key, { firstSeq, lastSeq });
    this.#added.push([session, key]);
    this.#filter.add(session, key);
  }

  /** The row of an event that the running commit has written, keyed or not. */
  written(row: number): void {
    this.#lastRow = row;
  }

  /** The session is deleted: nobody asks for its keys any more, and none of them goes into the index. */
  forget(session: number): void {
    this.#waiting.forget(session);
  }

  /** In the commit that deletes rows of events. KEYS-1: the numbers of those at the end are given again. */
  rowsDeleted(): void {
    this.#lastRow = numberOf(this.#highestRow);
    if (this.#lastRow >= this.#indexedTo) return;
    this.#indexedTo = this.#lastRow;
    this.#setIndexedTo.run(this.#lastRow);
  }

  /** Last in the transaction. */
  beforeCommit(): void {
    if (this.#waiting.size < KEYS_WAITING_MAX && this.#lastRow - this.#indexedTo < ROWS_UNREAD_MAX) return;
    for (const [session, key, { firstSeq, lastSeq }] of this.#waiting.inOrder())
      this.#index.run(session, key, firstSeq, lastSeq);
    this.#setIndexedTo.run(this.#lastRow);
    this.#isIndexing = true;
  }

  committed(): void {
    this.#added = [];
    this.#committedRow = this.#lastRow;
    if (this.#isIndexing) {
      this.#isIndexing = false;
      this.#waiting.clear();
      this.#indexedTo = this.#lastRow;
    }
    this.#committedTo = this.#indexedTo;
  }

  rolledBack(): void {
    for (const [session, key] of this.#added) this.#waiting.delete(session, key);
    this.#added = [];
    this.#isIndexing = false;
    this.#lastRow = this.#committedRow; // those numbers are given again
    this.#indexedTo = this.#committedTo;
  }

  #readWaiting(database: Database): void {
    const rows = rowsOf(
      database.prepare(
        'SELECT session, append_key, seq, append_count FROM event WHERE rowid > ? AND append_key IS NOT NULL',
      ),
      this.#indexedTo,
    );
    for (const row of rows) {
      const [session, key, firstSeq, count] = row as readonly [number, string, number, number]; // as selected
      this.#waiting.set(session, key, { firstSeq, lastSeq: firstSeq + count - 1 });
    }
  }
}

function numberOf(statement: StatementSync): number {
  return Number(rowOf(statement)?.[0] ?? 0);
}
