import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newId, turnIdOf } from '../../../src/kernel/id.ts';
import { Outage } from '../../../src/kernel/outage.ts';
import { DatabaseInUse, DatabaseUnusable } from '../../../src/platform/sqlite/faults.ts';
import { Database, rowOf } from '../../../src/platform/sqlite/database.ts';
import { MIGRATIONS } from '../../../src/platform/sqlite/migrations.ts';
import { openSqlite } from '../../../src/platform/sqlite/store.ts';
import { translateError, translateOpenError } from '../../../src/platform/sqlite/translate-error.ts';
import { decide } from '../../../src/sessions/lifecycle.ts';
import { appending, nothing, originOf, spoken } from '../../support/session-log.ts';

/** Of our files: "HOLD". */
const APPLICATION_ID = 0x484f4c44;
let folder = '';
let path = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-database-'));
  path = join(folder, 'data', 'test.db');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** What another program does to the file. */
function byHand(sql: string, file = path): void {
  const other = new DatabaseSync(file);
  other.exec(sql);
  other.close();
}

describe('opening a data file', () => {
  it('makes the file and its folder, readable by nobody else', () => {
    openSqlite({ path }).close();

    expect(statSync(path).mode & 0o077).toBe(0);
    expect(statSync(join(folder, 'data')).mode & 0o077).toBe(0);
  });

  it('refuses a second server with a sentence that says what to do, until the first one closes (SQLITE-1)', () => {
    const first = openSqlite({ path });

    expect(() => openSqlite({ path })).toThrow(DatabaseInUse);
    expect(() => openSqlite({ path })).toThrow(/Another Holdfast server is using .*Stop that one/);

    first.close();
    openSqlite({ path }).close();
  });

  it('refuses a database of a newer version, untouched, and lets go of it (SQLITE-3)', () => {
    openSqlite({ path }).close();
    byHand('PRAGMA journal_mode = DELETE; PRAGMA user_version = 99'); // the mode is written into the file as well
    const before = readFileSync(path);

    expect(() => openSqlite({ path })).toThrow(DatabaseUnusable);
    expect(() => openSqlite({ path })).toThrow(/written by a newer Holdfast \(format 99/);
    expect(readFileSync(path).equals(before)).toBe(true);

    byHand(`PRAGMA user_version = ${MIGRATIONS.length}`);
    openSqlite({ path }).close();
  });

  it('brings a file of the first version forward, and finds its turns and keys (SQLITE-3)', async () => {
    const [id, credentialId] = [newId('session'), newId('credential')];
    const turn = { id: turnIdOf(id, 1), number: 1, state: 'completed' };
    mkdirSync(join(folder, 'data'));
    byHand(`${MIGRATIONS[0]}; PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = 1;
      INSERT INTO session (key, id, agent_id, status, status_at, created_at, lease_owner, origin, state)
        VALUES (1, '${id}', 'a', 'idle', 1, 1, 'owner', '${JSON.stringify(originOf({ id }))}', '{}');
      INSERT INTO turn VALUES (1, 1, '${JSON.stringify(turn)}');
      INSERT INTO credential VALUES ('${credentialId}', 'anthropic', NULL, '0000', 1, 1, 1, 'hash')`);

    const { sessions, credentials, organisations, close } = openSqlite({ path });

    expect(await sessions.turn(id, turnIdOf(id, 1))).toEqual(turn);
    expect(await credentials.get(organisations.first, credentialId)).toMatchObject({
      secret: credentialId,
      agent: undefined,
    });
    close();
  });

  it('flushes its log before pages are copied home (SQLITE-2); who has committed flushes before it answers (flush.test.ts)', () => {
    const database = Database.open(path);
    const setting = (name: string) => rowOf(database.prepare(`PRAGMA ${name}`))?.[0];

    // sqlite.org/pragma.html: in WAL mode, NORMAL syncs the log before each checkpoint, FULL after each commit as well.
    expect([setting('journal_mode'), setting('synchronous')]).toEqual(['wal', 1]);
    database.close();
  });

  it('refuses the database of another program, and a file that is none', () => {
    const foreign = join(folder, 'foreign.db');
    byHand('CREATE TABLE theirs (a)', foreign);
    const text = join(folder, 'text.db');
    writeFileSync(text, 'This is a text, and it is long enough to have a header of its own.\n'.repeat(100));

    expect(() => openSqlite({ path: foreign })).toThrow(/belongs to another program/);
    expect(() => openSqlite({ path: text })).toThrow(/is not a Holdfast database/);
  });

  it('refuses a folder that it cannot write to', () => {
    writeFileSync(join(folder, 'file'), '');

    expect(() => openSqlite({ path: join(folder, 'file', 'test.db') })).toThrow(DatabaseUnusable);
    expect(() => openSqlite({ path: join(folder, 'file', 'test.db') })).toThrow(
      /cannot be opened or created/,
    );
  });
});

describe('a failed commit', () => {
  it('is told to everyone in it, leaves nothing in memory, and the next one goes on (COMMIT-1)', async () => {
    const { journal, sessions, close } = openSqlite({ path });
    const { id } = (await sessions.create(originOf(), nothing)).session;
    await journal.append(id, {
      decide: (session) =>
        decide(session, { kind: 'send', text: 'a', mode: 'queue', actor: { kind: 'human' } }),
    });
    const before = await sessions.get(id);
    const hints: number[] = [];
    journal.onHint(({ head }) => hints.push(head));
    const born = originOf();
    byHand('ALTER TABLE turn RENAME TO gone');

    const results = await Promise.allSettled([
      journal.append(id, { decide: appending(spoken('lost')) }),
      journal.append(id, { decide: (session) => decide(session, { kind: 'beginTurn' }) }),
      sessions.create(born, nothing),
    ]);

    expect(results.map((result) => result.status === 'rejected' && result.reason)).toEqual([
      expect.any(Outage),
      expect.any(Outage),
      expect.any(Outage),
    ]);
    expect(await sessions.get(id)).toEqual(before);
    expect(await sessions.get(born.id)).toBeUndefined();
    expect(await journal.read(id, { after: 0, limit: 9 })).toHaveLength(1);
    expect(hints).toEqual([]);

    byHand('ALTER TABLE gone RENAME TO turn');
    const { firstSeq } = await journal.append(id, {
      decide: (session) => decide(session, { kind: 'beginTurn' }),
    });
    expect(firstSeq).toBe(2);
    expect(await sessions.turns(id, { limit: 9 })).toHaveLength(1);
    close();
  });

  it('takes back an append that failed between its rows, with all others in it (JOURNAL-3)', async () => {
    const { journal, sessions, close } = openSqlite({ path });
    const { id } = (await sessions.create(originOf(), nothing)).session;
    byHand('ALTER TABLE event_body RENAME TO gone'); // where the body goes that is too large for its event

    const results = await Promise.allSettled([
      journal.append(id, { key: 'first', decide: appending(spoken('lost')) }),
      journal.append(id, {
        key: 'second',
        decide: appending(spoken('lost', 'a'), spoken('x'.repeat(50_000))),
      }),
    ]);

    expect(results.map((result) => result.status === 'rejected' && result.reason)).toEqual([
      expect.any(Outage),
      expect.any(Outage),
    ]);
    expect(await journal.read(id, { after: 0, limit: 9 })).toEqual([]);
    byHand('ALTER TABLE gone RENAME TO event_body');
    const again = await journal.append(id, { key: 'second', decide: appending(spoken('told')) });
    expect(again).toMatchObject({ replayed: false, firstSeq: 1, lastSeq: 1 });
    close();
  });

  it('is not hinted at: who is told of an event finds it committed, from another connection too (JOURNAL-2)', async () => {
    const { journal, sessions, close } = openSqlite({ path });
    const { id } = (await sessions.create(originOf(), nothing)).session;
    const other = new DatabaseSync(path);
    const committed = other.prepare('SELECT count(*) AS count FROM event');
    const seen: unknown[] = [];
    journal.onHint(({ head }) => seen.push([head, committed.get()?.['count']]));

    await journal.append(id, { decide: appending(spoken('a')) });
    await journal.append(id, { decide: appending(spoken('b'), spoken('c', 'd')) });

    expect(seen).toEqual([
      [1, 1],
      [3, 3],
    ]);
    other.close();
    close();
  });

  it('does not come to appends that wait when the store closes: they are committed first', async () => {
    const { journal, sessions, close } = openSqlite({ path });
    const { id } = (await sessions.create(originOf(), nothing)).session;

    const waiting = journal.append(id, { decide: appending(spoken('last words')) });
    close();

    expect(await waiting).toMatchObject({ firstSeq: 1 });
    await expect(journal.append(id, { decide: nothing })).rejects.toThrow('closed');
    const again = openSqlite({ path });
    expect(await again.journal.head(id)).toBe(1);
    again.close();
  });
});

describe('the words for what the driver throws', () => {
  const driverError = (errcode: number) => Object.assign(new Error('driver says so'), { errcode });

  it('says what to do, and keeps the cause', () => {
    const extendedReadonly = driverError(8 + (4 << 8));

    expect(translateError(driverError(13))).toMatchObject({
      reason: 'SQLITE_FULL',
      message: expect.stringMatching(/disk is full/),
    });
    expect(translateError(extendedReadonly)).toMatchObject({
      reason: 'SQLITE_READONLY',
      cause: extendedReadonly,
    });
    expect(translateError(driverError(11))).toMatchObject({ reason: 'SQLITE_CORRUPT' });
    expect(translateError(driverError(77))).toMatchObject({
      reason: 'SQLITE_77',
      message: expect.not.stringMatching(/driver says so/),
      cause: { message: 'driver says so' },
    });
    expect(translateOpenError('x.db', driverError(14))).toBeInstanceOf(DatabaseUnusable);
  });

  it('leaves every other error as it is', () => {
    const defect = new TypeError('a defect');

    expect(translateError(defect)).toBe(defect);
    expect(translateOpenError('x.db', defect)).toBe(defect);
  });
});
