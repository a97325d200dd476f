/** The keys of appends: those that wait, those in the index, and those that a start finds again. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Appended } from '../../../src/journal/journal.ts';
import type { SessionId } from '../../../src/kernel/id.ts';
import { Outage } from '../../../src/kernel/outage.ts';
import { KeyFilter } from '../../../src/platform/sqlite/key-filter.ts';
import { openSqlite, type SqliteStore } from '../../../src/platform/sqlite/store.ts';
import { appending, nothing, originOf, spoken } from '../../support/session-log.ts';

const SESSIONS = 7;
/** More than wait at a time (8,192). */
const APPENDS = 20_000;

let folder = '';
let path = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-keys-'));
  path = join(folder, 'test.db');
});
afterEach(() => rmSync(folder, { recursive: true }));

const indexed = (): number => {
  const other = new DatabaseSync(path);
  const count = Number(other.prepare('SELECT count(*) AS count FROM append_key').get()?.['count']);
  other.close();
  return count;
};

async function born({ sessions }: SqliteStore): Promise<readonly SessionId[]> {
  return Promise.all(
    Array.from({ length: SESSIONS }, async () => (await sessions.create(originOf(), nothing)).session.id),
  );
}

const appendAll = ({ journal }: SqliteStore, ids: readonly SessionId[], count: number, from = 0) =>
  Promise.all(
    Array.from({ length: count }, (_, index) =>
      journal.append(ids[(from + index) % SESSIONS] as SessionId, {
        key: `key/${Math.floor((from + index) / SESSIONS)}`, // the same keys in each session
        decide: appending(spoken(`${from + index}`)),
      }),
    ),
  );

/** What another program does to the file. */
function byHand(sql: string): void {
  const other = new DatabaseSync(path);
  other.exec(sql);
  other.close();
}

/** Appends without a key. */
async function fill({ journal }: SqliteStore, id: SessionId, events: number): Promise<void> {
  for (let count = 0; count < events; count += 200) {
    await journal.append(id, {
      decide: appending(...Array.from({ length: 200 }, (_, index) => spoken('x', `${count + index}`))),
    });
  }
}

/** Each key again: its own append is answered, and nothing is written. */
async function expectReplays(
  store: SqliteStore,
  ids: readonly SessionId[],
  first: readonly Appended<unknown>[],
) {
  const again = await appendAll(store, ids, first.length);
  expect(again.filter(({ replayed }) => !replayed)).toEqual([]);
  const places = (answers: readonly Appended<unknown>[]) =>
    answers.map(({ firstSeq, lastSeq }, index) => `${index}: ${firstSeq}-${lastSeq}`);
  const known = new Set(places(first));
  expect(places(again).filter((place) => !known.has(place))).toEqual([]);
}

describe('a key', () => {
  it('proves KEYS-1: is found while it waits and in the index, by this server and the next one', async () => {
    const store = openSqlite({ path });
    const ids = await born(store);
    const first = await appendAll(store, ids, APPENDS);
    expect(indexed()).toBeGreaterThan(0);
    expect(indexed(), 'and some wait').toBeLessThan(APPENDS);
    await expectReplays(store, ids, first);
    store.close();

    const next = openSqlite({ path });
    await expectReplays(next, ids, first);
    const later = await appendAll(next, ids, 3_000, APPENDS);
    expect(later.filter(({ replayed }) => replayed)).toEqual([]);
    await expectReplays(next, ids, [...first, ...later]);
    next.close();
  });

  it('proves KEYS-1: of a commit that failed is free again, and rows written after it are read at the next start', async () => {
    const store = openSqlite({ path });
    const ids = await born(store);
    byHand('ALTER TABLE append_key_end RENAME TO gone'); // a commit that moves keys into the index fails
    const failed = await Promise.allSettled(
      Array.from({ length: 10 }, () => 0).map(() => appendAll(store, ids, 9_000)),
    );
    expect(failed.some(({ status }) => status === 'rejected')).toBe(true);
    byHand('ALTER TABLE gone RENAME TO append_key_end');

    const first = await appendAll(store, ids, APPENDS);
    const logs = await Promise.all(ids.map(async (id) => (await store.sessions.get(id))?.head));
    expect(
      logs.reduce((sum: number, head) => sum + (head ?? 0), 0),
      'each key once',
    ).toBe(APPENDS);
    store.close();

    const next = openSqlite({ path });
    await expectReplays(next, ids, first);
    next.close();
  });

  it('is found again when its row has the number that a failed commit had given', async () => {
    const store = openSqlite({ path });
    const { journal } = store;
    const ids = await born(store);
    const id = ids[0] as SessionId;
    await fill(store, id, 65_400);
    byHand('ALTER TABLE event_body RENAME TO gone');
    const many = Array.from({ length: 200 }, (_, index) => spoken('x', `lost-${index}`));
    await expect(
      journal.append(id, { decide: appending(...many, spoken('x'.repeat(50_000))) }),
    ).rejects.toThrow(Outage);
    byHand('ALTER TABLE gone RENAME TO event_body');
    await journal.append(id, { decide: nothing });
    const first = await appendAll(store, ids, SESSIONS);
    store.close();

    const next = openSqlite({ path });
    await expectReplays(next, ids, first);
    next.close();
  });

  it('is found again where many appends without one have followed, which the next start does not all read', async () => {
    const store = openSqlite({ path });
    const ids = await born(store);
    const first = await appendAll(store, ids, SESSIONS);
    const id = ids[0] as SessionId;
    await fill(store, id, 70_000);
    expect(indexed()).toBe(SESSIONS);
    store.close();

    const next = openSqlite({ path });
    await expectReplays(next, ids, first);
    next.close();
  });
});

describe('the filter of keys', () => {
  it('proves KEYS-2: calls no key new that was added, before and after it begins anew', () => {
    const filter = new KeyFilter(3);
    const lost: string[] = [];
    let calledNew = 0;
    for (let session = 4; session < 1_204; session += 1) {
      for (let key = 0; key < 1_000; key += 1) filter.add(session, `brain/1-${key}`);
      for (let key = 0; key < 1_000; key += 100) {
        if (!filter.mayHold(session, `brain/1-${key}`)) lost.push(`${session} ${key}`);
        if (!filter.mayHold(session, `brain/2-${key}`)) calledNew += 1;
      }
    }
    for (let session = 1; session < 1_204; session += 7) {
      if (!filter.mayHold(session, 'brain/1-77')) lost.push(`${session} at last`);
    }

    expect(lost).toEqual([]);
    expect(filter.mayHold(2, 'never'), 'of a session older than the filter').toBe(true);
    expect(calledNew, 'it is of use').toBeGreaterThan(11_000);
  });
});
