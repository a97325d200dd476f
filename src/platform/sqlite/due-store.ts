/** Sessions for which something is due (sessions/due-store.ts), by the column that the journal keeps (session-table.ts). */
import type { StatementSync } from 'node:sqlite';
import type { SessionId } from '../../kernel/id.ts';
import type { Due, DuePage, DueStore } from '../../sessions/due-store.ts';
import { type Database, rowsOf } from './database.ts';
import { translated } from './translate-error.ts';

export class SqliteDueStore implements DueStore {
  readonly #due: StatementSync;

  constructor(database: Database) {
    this.#due = database.prepare(
      `SELECT id, due_at FROM session INDEXED BY session_due
       WHERE due_at IS NOT NULL AND due_at <= ? AND (due_at, id) > (?, ?) ORDER BY due_at, id LIMIT ?`,
    );
  }

  async due({ limit, until, after }: DuePage): Promise<readonly Due[]> {
    const { dueAt, id } = after ?? { dueAt: Number.MIN_SAFE_INTEGER, id: '' };
    return translated(() => rowsOf(this.#due, until, dueAt, id, limit).map(dueOf));
  }
}

function dueOf(row: readonly unknown[]): Due {
  const [id, dueAt] = row as readonly [SessionId, number]; // columns of due()
  return { id, dueAt };
}
