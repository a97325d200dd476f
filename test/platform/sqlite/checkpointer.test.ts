/** The log is copied home beside the event loop, and stays bounded while appends go on. */
import { copyFileSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Outage } from '../../../src/kernel/outage.ts';
import {
  CHECKPOINT_PAGES,
  Checkpointer,
  type CheckpointPorts,
  WAL_PAGES_MAX,
} from '../../../src/platform/sqlite/checkpointer.ts';
import { Database, rowOf } from '../../../src/platform/sqlite/database.ts';
import { GroupCommit } from '../../../src/platform/sqlite/group-commit.ts';
import { eventually } from '../../support/eventually.ts';

/** Bytes of a page of the log: sqlite.org/walformat.html. */
const PAGE_BYTES = 4_096 + 24;
const HEADER_BYTES = 32;

let folder: string;
let path: string;
let database: Database;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-checkpoint-'));
  path = join(folder, 'holdfast.db');
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true });
});

/** Appends by hundreds of bytes or of pages: each is heard of in `heard`. */
function appender(heard: number[], failed: unknown[] = []) {
  database.transaction(() => database.prepare('CREATE TABLE written (number INTEGER, text TEXT)').run());
  const insert = database.prepare('INSERT INTO written VALUES (?, ?)');
  const group = new GroupCommit(database, {
    beforeCommit: () => undefined,
    committed: () => undefined,
    rolledBack: () => undefined,
  });
  let next = 0;
  return (chars: number): Promise<void> =>
    new Promise((resolve) => {
      next += 1;
      const number = next;
      group.add({
        run: () => Number(insert.run(number, 'x'.repeat(chars)).changes),
        settle: () => {
          heard.push(number);
          resolve();
        },
        fail: (error) => {
          failed.push(error);
          resolve();
        },
      });
    });
}

describe('the log of a server that writes without a pause', () => {
  it('is copied home by the thread again and again, begins anew each time, and loses nothing (proves WAL-1, WAL-2)', async () => {
    const pages = 64;
    let copies = 0;
    database = Database.open(path, {
      checkpointer: (ports) =>
        new Checkpointer({ ...ports, copy: () => ports.copy().finally(() => (copies += 1)) }, pages),
    });
    const heard: number[] = [];
    const append = appender(heard);
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        for (;;) {
          await append(9_000);
          if (copies >= 20) return;
        }
      }),
    );

    const wal = statSync(`${path}-wal`).size;
    const most = (pages * WAL_PAGES_MAX) / CHECKPOINT_PAGES + 4 * 4 + 2; // and one commit of all four
    expect((heard.length * 9_000) / wal).toBeGreaterThan(2); // it was begun anew
    expect(wal).toBeLessThanOrEqual(HEADER_BYTES + most * PAGE_BYTES);
    expect(rowOf(database.prepare('PRAGMA wal_autocheckpoint'))).toEqual([0]); // never on this thread
    // What the next server finds if this one ends now.
    for (const end of ['', '-wal']) copyFileSync(`${path}${end}`, join(folder, `copy.db${end}`));
    const copy = Database.open(join(folder, 'copy.db'));
    const found = rowOf(copy.prepare('SELECT count(*), max(number), sum(length(text)) FROM written'));
    copy.close();
    expect(found).toEqual([heard.length, heard.length, heard.length * 9_000]);
  });

  it('goes on when the thread fails: SQLite does it in commits (proves WAL-3)', async () => {
    let tries = 0;
    database = Database.open(path, {
      checkpointer: (ports) =>
        new Checkpointer(
          {
            ...ports,
            copy() {
              tries += 1;
              return Promise.reject(new Error('no thread'));
            },
          },
          8,
        ),
    });
    const heard: number[] = [];
    const append = appender(heard);
    for (let at = 0; at < 20; at += 1) await append(9_000);

    expect([tries, heard.length]).toEqual([1, 20]);
    expect(rowOf(database.prepare('PRAGMA wal_autocheckpoint'))).toEqual([CHECKPOINT_PAGES]);
  });

  it.each([
    ['3.50.4', CHECKPOINT_PAGES],
    ['3.51.0', 0],
    ['3.100.0', 0],
    ['4.0.0', 0],
  ])(
    'of SQLite %s is copied by who can: in commits from %d pages on, or never (proves WAL-3)',
    async (version, pages) => {
      let asked = 0;
      database = Database.open(path, {
        version,
        checkpointer: (ports) => new Checkpointer({ ...ports, pages: () => (asked += 1) }, 1_000),
      });
      const heard: number[] = [];
      const append = appender(heard);
      for (let at = 0; at < 5; at += 1) await append(9_000);

      expect(rowOf(database.prepare('PRAGMA wal_autocheckpoint'))).toEqual([pages]);
      expect([heard.length, asked > 0]).toEqual([5, pages === 0]);
      expect(await database.truncateLog()).toBe(true);
      expect(statSync(`${path}-wal`).size).toBe(0);
    },
  );

  it('is not copied twice for what another reader keeps from being copied', async () => {
    let copies = 0;
    let pages = 0;
    database = Database.open(path, {
      checkpointer: (ports) =>
        new Checkpointer(
          {
            ...ports,
            pages: () => pages,
            copy: () => Promise.resolve(void (copies += 1)),
            flush: () => Promise.resolve(),
          },
          CHECKPOINT_PAGES,
        ),
    });
    const append = appender([]);
    pages = CHECKPOINT_PAGES;
    await append(1);
    await eventually('both copies', () => copies === 2 && database.pause === undefined);
    pages += CHECKPOINT_PAGES - 1;
    await append(1);
    expect(copies).toBe(2);
    pages += 1;
    await append(1);
    await eventually('the next ones', () => copies === 4);
  });
});

describe('appends', () => {
  /** Copies and writes of the file that were begun, each until it is let go on. */
  let steps: { readonly name: string; readonly over: PromiseWithResolvers<void> }[];
  let pages: number;
  let diskFailed: Outage | undefined;
  const heard: number[] = [];
  const failed: unknown[] = [];

  function open(): (chars: number) => Promise<void> {
    steps = [];
    diskFailed = undefined;
    heard.length = 0;
    failed.length = 0;
    pages = 0;
    const step = (name: string): Promise<void> => {
      const over = Promise.withResolvers<void>();
      steps.push({ name, over });
      return over.promise;
    };
    const played = (ports: CheckpointPorts): CheckpointPorts => ({
      ...ports,
      pages: () => pages,
      copy: () => step('copy'),
      flush: () => step('flush'),
      check() {
        if (diskFailed !== undefined) throw diskFailed;
      },
    });
    database = Database.open(path, { checkpointer: (ports) => new Checkpointer(played(ports)) });
    return appender(heard, failed);
  }
  const names = (): string => steps.map(({ name }) => name).join(' ');

  it('go on during the long copy and the write of the file, and wait for the short copy alone (proves WAL-1)', async () => {
    const append = open();
    pages = CHECKPOINT_PAGES - 1;
    await append(1);
    expect(names()).toBe('');
    pages += 1;
    await append(1);
    await append(1);
    expect(names()).toBe('copy');
    steps[0]?.over.resolve();
    await eventually('the file is written', () => names() === 'copy flush');
    await append(1);
    steps[1]?.over.resolve();
    await eventually('the short copy', () => names() === 'copy flush copy');

    const waiting = [append(1), database.write(() => heard.push(0)), database.ready()];
    for (let round = 0; round < 5; round += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(heard).toEqual([1, 2, 3, 4]);
    expect(rowOf(database.prepare('SELECT count(*) FROM written'))).toEqual([4]); // readers go on
    pages = 1;
    steps[2]?.over.resolve();
    await Promise.all(waiting);
    expect(heard.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(names()).toBe('copy flush copy');
  });

  it('wait as soon as the log is too long, whatever the copies are about (proves WAL-2)', async () => {
    const append = open();
    pages = CHECKPOINT_PAGES;
    await append(1);
    pages = WAL_PAGES_MAX;
    await append(1);
    expect(database.pause).toBe(undefined);
    pages += 1;
    await append(1);
    const waiting = append(1);
    for (let round = 0; round < 5; round += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(heard).toEqual([1, 2, 3]);
    for (const at of [0, 1, 2]) {
      await eventually('the next step', () => steps.length === at + 1);
      steps[at]?.over.resolve();
    }
    await waiting;
    expect(heard).toEqual([1, 2, 3, 4]);
  });

  it('fail once the disk did not take what was copied (proves WAL-3)', async () => {
    const append = open();
    pages = CHECKPOINT_PAGES;
    await append(1);
    steps[0]?.over.resolve();
    await eventually('the file is written', () => names() === 'copy flush');
    diskFailed = new Outage('DISK_FAILED', 'The disk did not take it.');
    steps[1]?.over.reject(diskFailed);
    await append(1);
    expect([heard, failed]).toEqual([[1], [diskFailed]]);
    await expect(database.write(() => 1)).rejects.toThrow(Outage);
  });
});
