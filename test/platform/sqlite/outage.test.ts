/** What the store does while another program holds its file, and when the disk is full. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Outage } from '../../../src/kernel/outage.ts';
import { LOCK_WAIT_MS } from '../../../src/platform/sqlite/database.ts';
import { openSqlite, type SqliteStore } from '../../../src/platform/sqlite/store.ts';
import { translateError } from '../../../src/platform/sqlite/translate-error.ts';
import { decide } from '../../../src/sessions/lifecycle.ts';
import { appending, nothing, originOf, spoken } from '../../support/session-log.ts';
import { OURS } from '../../support/organisation.ts';

let folder = '';
let store: SqliteStore;
let other: DatabaseSync;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-outage-'));
  store = openSqlite({ path: join(folder, 'test.db') });
  other = new DatabaseSync(join(folder, 'test.db'), { timeout: 1_000 });
});
afterEach(() => {
  vi.restoreAllMocks();
  other.close();
  store.close();
  rmSync(folder, { recursive: true });
});

/** Lets the event loop go round; work that could be done by now has been. */
async function rounds(count: number): Promise<void> {
  for (let round = 0; round < count; round += 1) await new Promise((resolve) => setImmediate(resolve));
}

it('appends wait for the lock of another program, in order, while everything else goes on (COMMIT-3, COMMIT-4, SQLITE-4)', async () => {
  const { id } = (await store.sessions.create(originOf(), nothing)).session;
  other.exec('BEGIN IMMEDIATE');

  const appends = ['one', 'two'].map((text) => store.journal.append(id, { decide: appending(spoken(text)) }));
  const beat = store.owners.beat('me');
  let settled = 0;
  for (const work of [...appends, beat]) void work.then(() => (settled += 1));
  const busy = store.ready();
  await rounds(50); // each of which would hold the loop for seconds if anything waited on this thread

  expect(settled).toBe(0);
  expect(await store.journal.head(id)).toBe(0);
  other.exec('ROLLBACK');
  expect((await Promise.all(appends)).map(({ firstSeq }) => firstSeq)).toEqual([1, 2]);
  await Promise.all([beat, busy]);
  expect(await store.owners.heartbeats()).toHaveLength(1);
});

it('a lock that is held too long is an outage for everyone who waits, and nothing was written (COMMIT-4)', async () => {
  const { id } = (await store.sessions.create(originOf(), nothing)).session;
  other.exec('BEGIN IMMEDIATE');
  const start = performance.now();
  const waits = [
    store.journal.append(id, { decide: appending(spoken('lost')) }),
    store.keys.add({
      id: 'key_1' as never,
      organisationId: OURS.id,
      name: 'n',
      scopes: [],
      hash: 'h',
      createdAt: 1,
    }), // any id will do
  ];
  const told = Promise.allSettled(waits);
  await rounds(3); // both have met the lock
  vi.spyOn(performance, 'now').mockReturnValue(start + 10 * LOCK_WAIT_MS);

  const outcomes = await told;

  expect(outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason : undefined))).toEqual([
    expect.any(Outage),
    expect.any(Outage),
  ]);
  expect(outcomes[0]).toMatchObject({
    reason: { code: 'UNAVAILABLE', reason: 'SQLITE_BUSY', message: expect.stringMatching(/try again/) },
  });
  other.exec('ROLLBACK');
  vi.restoreAllMocks();
  expect(await store.keys.count()).toBe(0);
  expect(await store.journal.append(id, { decide: appending(spoken('next')) })).toMatchObject({
    firstSeq: 1,
  });
});

it('a commit that fails right after the lock was had is told, and does not stop those that follow', async () => {
  const { id } = (await store.sessions.create(originOf(), nothing)).session;
  other.exec('BEGIN IMMEDIATE');
  const failing = store.journal.append(id, {
    decide: (session) =>
      decide(session, { kind: 'send', text: 'a', mode: 'queue', actor: { kind: 'human' } }),
  });
  const told = failing.catch((error: unknown) => error);
  await rounds(3); // it has met the lock
  other.exec('ALTER TABLE session RENAME TO gone; COMMIT'); // its record cannot be written

  expect(await told).toBeInstanceOf(Error);
  other.exec('ALTER TABLE gone RENAME TO session');
  expect(await store.journal.append(id, { decide: appending(spoken('next')) })).toMatchObject({
    firstSeq: 1,
  });
});

it('closing while the lock is held tells those who wait, and ends', async () => {
  const { id } = (await store.sessions.create(originOf(), nothing)).session;
  other.exec('BEGIN IMMEDIATE');
  const waiting = store.journal.append(id, { decide: appending(spoken('late')) });
  const told = waiting.catch((error: unknown) => error);
  await rounds(3);

  store.close();

  expect(await told).toBeInstanceOf(Outage);
  other.exec('ROLLBACK');
  store = openSqlite({ path: join(folder, 'test.db') });
  expect(await store.journal.head(id)).toBe(0);
});

it('a statement that is wrong is a defect and no outage: nobody is told to try again', () => {
  const driverError = (errcode: number) => Object.assign(new Error('driver says so'), { errcode });

  for (const code of [6, 18, 19]) expect(translateError(driverError(code))).not.toBeInstanceOf(Outage);
  for (const code of [5, 10, 13]) expect(translateError(driverError(code))).toBeInstanceOf(Outage);
});
