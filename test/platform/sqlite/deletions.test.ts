/** Deleting sessions on SQLite: in steps, without a trace in the files, and beside what memory takes for the truth. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { newId, type SessionId } from '../../../src/kernel/id.ts';
import { ERASED_BYTES_MAX, ERASED_ROWS_MAX } from '../../../src/platform/sqlite/deletions.ts';
import { openSqlite, type SqliteStore } from '../../../src/platform/sqlite/store.ts';
import { OURS } from '../../support/organisation.ts';
import { appending, nothing, originOf, spoken } from '../../support/session-log.ts';

let folder = '';
let store: SqliteStore;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-deletions-'));
  store = open();
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

const open = (): SqliteStore => openSqlite({ path: join(folder, 'test.db') });
const create = async (): Promise<SessionId> => (await store.sessions.create(originOf(), nothing)).session.id;
const beginDeletion = (id: SessionId) =>
  store.deletions.begin({ id, organisationId: OURS.id, deletedAt: 1, deletedBy: { kind: 'system' } });
const reopen = (): void => {
  store.close();
  store = open();
};
/** As another program sees it. */
const count = (sql: string): number => {
  const other = new DatabaseSync(join(folder, 'test.db'), { readOnly: true });
  const [first] = Object.values(other.prepare(sql).get() ?? {});
  other.close();
  return Number(first);
};
const files = (): string =>
  readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), 'latin1'))
    .join('\n');

async function fill(id: SessionId, events: number, text = 'x', key?: string): Promise<void> {
  for (let from = 0; from < events; from += 100)
    await store.journal.append(id, {
      key: key === undefined ? undefined : `${key}/${from}`,
      decide: appending(...Array.from({ length: Math.min(100, events - from) }, () => spoken(text))),
    });
}

it('proves ERASE-1: a step takes so many rows and bytes, the end of the log first, and others commit in between', async () => {
  const [long, large, busy] = [await create(), await create(), await create()];
  await fill(long, 1_000);
  for (let body = 0; body < 5; body += 1)
    await store.journal.append(large, {
      decide: appending(spoken('y'.repeat(ERASED_BYTES_MAX / 2 - 40_000))),
    });
  for (const id of [long, large]) await beginDeletion(id);
  const rows = (): number => count('SELECT count(*) FROM event');

  const before = rows();
  const step = store.deletions.erase([long]);
  const beside = await Promise.all([step, store.journal.append(busy, { decide: appending(spoken('z')) })]);

  expect(beside[0]).toEqual([]);
  expect(before - rows()).toBe(ERASED_ROWS_MAX - 1); // and one that was written beside
  expect(count('SELECT max(seq) FROM event WHERE session = 1')).toBe(1_000 - ERASED_ROWS_MAX);
  expect(await store.deletions.erase([large])).toEqual([]);
  expect(count('SELECT count(*) FROM event_body')).toBe(5 - 2);
  for (let left = [large, long]; left.length > 0; ) {
    const erased = new Set(await store.deletions.erase(left));
    left = left.filter((id) => !erased.has(id));
  }
  expect(rows()).toBe(1);
  expect(count('SELECT count(*) FROM event_body')).toBe(0);
  expect(await store.journal.head(busy)).toBe(1);
});

it('proves SQLITE-5: no file has anything of it, while the server goes on and after it has stopped', async () => {
  const [gone, stays] = [await create(), await create()];
  for (const [id, text] of [
    [gone, 'MARK-gone'],
    [stays, 'MARK-stays'],
  ] as const)
    for (let round = 0; round < 3; round += 1) {
      await fill(id, 200, `${text} ${'w'.repeat(500)}`, text);
      await fill(id, 1, `${text} ${'w'.repeat(100_000)}`);
    }
  await beginDeletion(gone);
  for (let erased: readonly SessionId[] = []; erased.length === 0; )
    erased = await store.deletions.erase([gone]);
  await store.deletions.finish([gone]);
  const other = new DatabaseSync(join(folder, 'test.db'), { readOnly: true });
  other.exec('BEGIN; SELECT count(*) FROM session');
  expect(await store.deletions.overwrite(), 'another program reads').toBe(false);
  other.close();
  expect(await store.deletions.overwrite()).toBe(true);

  expect(files()).toContain('MARK-stays');
  expect(files()).not.toContain('MARK-gone');
  store.close();
  expect(files()).not.toContain('MARK-gone');
  store = open();
});

it('proves KEYS-1: where the last rows were deleted, keys of rows that get their numbers are found after a restart', async () => {
  const [stays, gone] = [await create(), await create()];
  await fill(stays, 100, 'x', 'early');
  for (let round = 0; round < 90; round += 1) await fill(gone, 1_000, 'x', `k${round}`);
  expect(count('SELECT event_row FROM append_key_end')).toBeGreaterThan(65_000);
  await beginDeletion(gone);
  for (let erased: readonly SessionId[] = []; erased.length === 0; )
    erased = await store.deletions.erase([gone]);
  expect(count('SELECT event_row FROM append_key_end')).toBe(count('SELECT max(rowid) FROM event'));
  expect(count('SELECT count(*) FROM append_key WHERE session = 2')).toBe(0);

  await fill(stays, 300, 'x', 'late');
  reopen();

  const known: string[] = [];
  for (const key of ['early/0', 'late/0', 'late/200'])
    if ((await store.journal.append(stays, { key, decide: nothing })).replayed) known.push(key);
  expect(known).toEqual(['early/0', 'late/0', 'late/200']);
  await store.deletions.finish([gone]);
  expect(await store.journal.append(stays, { key: 'k1/0', decide: nothing })).toMatchObject({
    replayed: false,
  });
});

it('puts no key of a session that was deleted into the index, when others go there', async () => {
  const [gone, stays] = [await create(), await create()];
  await fill(gone, 10, 'x', 'waits');
  await beginDeletion(gone);
  await store.deletions.erase([gone]);
  await Promise.all(
    Array.from({ length: 9_000 }, (_, at) =>
      store.journal.append(stays, { key: `k${at}`, decide: appending(spoken('y')) }),
    ),
  );

  expect(count('SELECT count(*) FROM append_key WHERE session = 2')).toBeGreaterThan(0);
  expect(count('SELECT count(*) FROM append_key WHERE session = 1')).toBe(0);
});

it('gives no new session the rows of one that is not erased yet, nor those of a start before', async () => {
  const gone = await create();
  await fill(gone, 50, 'old', 'k');
  await beginDeletion(gone);
  for (let start = 0; start < 2; start += 1) {
    const fresh = await create();

    expect(await store.journal.head(fresh)).toBe(0);
    expect(await store.journal.append(fresh, { key: 'k/0', decide: nothing })).toMatchObject({
      replayed: false,
    });
    await beginDeletion(fresh);
    reopen();
  }
});

it('takes back a mark whose commit failed: the session is there as before', async () => {
  const id = await create();
  await fill(id, 3);
  const other = new DatabaseSync(join(folder, 'test.db'));
  other.exec("CREATE TRIGGER refuse BEFORE DELETE ON session BEGIN SELECT RAISE(ABORT, 'no'); END");
  const append = () => store.journal.append(id, { decide: appending(spoken('beside')) });
  const [beside, begun] = await Promise.allSettled([append(), beginDeletion(id)]);
  expect([beside.status, begun.status]).toEqual(['rejected', 'rejected']);
  other.exec('DROP TRIGGER refuse');
  other.close();

  expect(await store.journal.head(id)).toBe(3);
  expect(await beginDeletion(id)).toMatchObject({ replayed: false });
  await expect(store.journal.head(id)).rejects.toMatchObject({ code: 'SESSION_GONE' });
  expect(await store.sessions.get(newId('session'))).toBeUndefined();
});
