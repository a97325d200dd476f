/** What could not be removed to its end, and is removed later by the same server. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { must } from '../../src/kernel/assert.ts';
import { silentLogger as logger } from '../../src/kernel/logger.ts';
import { openSqlite, type SqliteStore } from '../../src/platform/sqlite/store.ts';
import { decide } from '../../src/sessions/lifecycle.ts';
import { Removals } from '../../src/supervisor/removals.ts';
import { OURS } from '../support/organisation.ts';
import { queuedSession } from '../support/session-log.ts';

let store: SqliteStore;
beforeEach(() => {
  store = openSqlite({ path: ':memory:' });
});
afterEach(() => store.close());

// proves REMOVAL-2
it.each([
  ['another server has the files', async () => false],
  ['the store did not answer', async () => Promise.reject(new Error('no answer'))],
])('asks again when %s, and not while something of it runs', async (_, first) => {
  const id = await queuedSession(store);
  await store.journal.append(id, {
    decide: (session) => decide(session, { kind: 'archive', actor: { kind: 'human' } }),
  });
  const [stop, done]: [AbortController, string[]] = [new AbortController(), []];
  const answers = [first, async () => true];
  let looks = 0;
  const removals = new Removals({
    launcher: {
      sessions: async () => [],
      forget: async () => {
        done.push('forget');
        return must(answers.shift(), 'what is removed is not asked for again')();
      },
    },
    journal: store.journal,
    store: store.sessions,
    clock: {
      now: () => 0,
      monotonicNow: () => 0,
      sleep: async () => {
        await new Promise(setImmediate);
        looks += 1;
        done.push(`look ${looks}`);
        if (looks === 5) stop.abort();
      },
    },
    logger,
  });

  removals.start(id, must(await store.sessions.get(id), 'it was just archived'));
  await removals.run(stop.signal, () => looks === 1);

  expect(done.filter((what) => what === 'forget')).toHaveLength(2);
  expect(done.slice(done.indexOf('look 1'), done.indexOf('look 2'))).not.toContain('forget');
});

// proves REMOVAL-4
it('removes at the start what is here of a session that was deleted meanwhile, and keeps what is of others', async () => {
  const [gone, stays] = [await queuedSession(store), await queuedSession(store)];
  const deletedBy = { kind: 'human' } as const;
  await store.deletions.begin({ id: gone, organisationId: OURS.id, deletedAt: 1, deletedBy });
  const [stop, forgotten]: [AbortController, string[]] = [new AbortController(), []];
  const removals = new Removals({
    launcher: {
      sessions: async () => [gone, stays],
      forget: async (id) => {
        forgotten.push(id);
        return true;
      },
    },
    journal: store.journal,
    store: store.sessions,
    clock: { now: () => 0, monotonicNow: () => 0, sleep: async () => stop.abort() },
    logger,
  });

  await removals.run(stop.signal, () => false);

  expect(forgotten).toEqual([gone]);
});
