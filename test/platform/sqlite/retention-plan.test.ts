/** How SQLite finds what rests: by the index that only sessions at rest are in, in its order, whatever else is in the table. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { openSqlite } from '../../../src/platform/sqlite/store.ts';

/** As the store asks (retention-store.ts, agent-store.ts). */
const QUERIES = {
  resting: `SELECT id, agent_id, status_at, lease_owner FROM session
    WHERE organisation_id = ? AND status = ? AND status IN ('idle', 'awaiting_input', 'failed', 'archived')
      AND status_at <= ? AND (status_at, id) > (?, ?) ORDER BY status_at, id LIMIT ?`,
  inUse: `SELECT id FROM session INDEXED BY session_newest_of_status
    WHERE organisation_id = ? AND status IN ('queued', 'running') AND agent_id = ? LIMIT 1`,
  agents: `SELECT agent FROM agent WHERE organisation_id = ? AND (created_at, id) < (?, ?) AND deleted_at IS NULL
    ORDER BY created_at DESC, id DESC LIMIT ?`,
  agentOfName: 'SELECT agent FROM agent WHERE name = ? AND organisation_id = ? AND deleted_at IS NULL',
} as const;

it.each([
  ['resting', 'session_resting (organisation_id=? AND status=? AND (status_at,id)>(?,?) AND status_at<?)'],
  ['inUse', 'session_newest_of_status (organisation_id=? AND status=?)'],
  ['agents', 'agent_newest (organisation_id=? AND'],
  ['agentOfName', 'agent_of_name (organisation_id=? AND name=?)'],
] as const)('%s walks its index and sorts nothing', (query, index) => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-plan-'));
  const path = join(folder, 'test.db');
  openSqlite({ path }).close();
  const sqlite = new DatabaseSync(path);
  const plan = sqlite.prepare(`EXPLAIN QUERY PLAN ${QUERIES[query]}`).all();
  sqlite.close();
  rmSync(folder, { recursive: true });

  const steps = plan.map(({ detail }) => String(detail));
  expect(steps).toHaveLength(1);
  expect(steps[0]).toContain(index);
});
