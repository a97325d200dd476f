/**
 * The statements of the queue. Conditions on `state` are literals: only with them does SQLite see that a partial index
 * (migrations.ts) fits.
 */
import type { StatementSync } from 'node:sqlite';
import type { Database } from './database.ts';

const STATEMENTS = {
  known: 'SELECT 1 FROM queue_message WHERE id = ?',
  insert: `INSERT INTO queue_message (id, group_name, body, sent_at, visible_at, receive_count, state)
    VALUES (?, ?, ?, ?, ?, 0, 'live')`,
  /** A group that is there has a message before this one: it is due when that one says. */
  addGroup: 'INSERT INTO queue_group (name, due_at, is_held) VALUES (?, ?, 0) ON CONFLICT (name) DO NOTHING',
  due: 'SELECT name FROM queue_group WHERE due_at <= ? ORDER BY due_at LIMIT ?',
  head: `SELECT id, body, sent_at, visible_at, receive_count FROM queue_message
    WHERE group_name = ? AND state = 'live' ORDER BY number LIMIT 1`,
  take: `UPDATE queue_message SET receipt = ?, receive_count = receive_count + 1,
    first_received_at = ifnull(first_received_at, ?), last_received_at = ? WHERE id = ?`,
  hold: 'UPDATE queue_group SET due_at = ?, is_held = 1 WHERE name = ?',
  unhold: 'UPDATE queue_group SET due_at = ?, is_held = 0 WHERE name = ?',
  dropGroup: 'DELETE FROM queue_group WHERE name = ?',
  byReceipt: 'SELECT id, group_name, state FROM queue_message WHERE receipt = ?',
  bury: `UPDATE queue_message SET state = 'deleted', body = '', done_at = ? WHERE id = ?`,
  forget: `DELETE FROM queue_message WHERE state = 'deleted' AND done_at <= ?`,
  die: `UPDATE queue_message SET state = 'dead', receipt = NULL, done_at = ? WHERE id = ?`,
  takeDead: `DELETE FROM queue_message WHERE id = ? AND state = 'dead' RETURNING group_name, body`,
  deadAfter: `SELECT done_at, id, group_name, body, receive_count, sent_at, first_received_at, last_received_at
    FROM queue_message WHERE state = 'dead' AND (done_at, id) > (?, ?) ORDER BY done_at, id LIMIT ?`,
  count: `SELECT (SELECT count(*) FROM queue_message WHERE state = 'live'),
    (SELECT count(*) FROM queue_message WHERE state = 'dead'),
    (SELECT count(*) FROM queue_group WHERE is_held = 1 AND due_at > ?)`,
} as const;

export function queueStatements(
  database: Database,
): Readonly<Record<keyof typeof STATEMENTS, StatementSync>> {
  // fromEntries forgets the keys.
  return Object.fromEntries(
    Object.entries(STATEMENTS).map(([name, sql]) => [name, database.prepare(sql)]),
  ) as Record<keyof typeof STATEMENTS, StatementSync>;
}
