/** What the look-ups of what waits cost: each goes by an index that begins with the organisation. */
import { DatabaseSync } from 'node:sqlite';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { newId } from '../../../src/kernel/id.ts';
import { Database } from '../../../src/platform/sqlite/database.ts';
import { SessionQueue } from '../../../src/platform/sqlite/session-queue.ts';

it('what waits is found by indexes, without looking at what others have (ADMIT-3)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-queue-'));
  const asked: string[] = [];
  const database = Database.open(join(folder, 'test.db'));
  const queue = new SessionQueue({
    prepare: (sql: string) => {
      asked.push(sql);
      return database.prepare(sql);
    },
  } as Database); // all that it uses
  queue.wanted({ limit: 1 });
  queue.waiting(newId('organisation'), 1);
  database.close();
  const again = new DatabaseSync(join(folder, 'test.db'));
  const plans = asked.map((sql) =>
    again
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .all()
      .map(({ detail }) => String(detail))
      .join('; '),
  );
  again.close();
  rmSync(folder, { recursive: true });

  expect(plans).toHaveLength(3);
  for (const plan of plans) {
    expect(plan).toMatch(
      /^SEARCH session USING (COVERING )?INDEX session_(wanted|waiting) \(organisation_id[>=]/,
    );
    expect(plan).not.toContain('TEMP B-TREE FOR ORDER');
  }
});
