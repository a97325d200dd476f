/** What was committed reaches the disk beside the event loop, and nobody hears of it before. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Database } from '../../../src/platform/sqlite/database.ts';
import { Flusher } from '../../../src/platform/sqlite/flusher.ts';
import { GroupCommit, type Work } from '../../../src/platform/sqlite/group-commit.ts';
import { Outage } from '../../../src/kernel/outage.ts';
import { eventually } from '../../support/eventually.ts';

let folder: string;
/** Writes of the disk that were begun, each until it is let go on, or fails. */
let writes: PromiseWithResolvers<void>[];
let database: Database;
/** What a write in place takes, by the clock of the test. */
let diskMs: number;
let now: number;
let inPlace: number;
let heard: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-flush-'));
  writes = [];
  heard = [];
  const path = join(folder, 'holdfast.db');
  [diskMs, now, inPlace] = [1_000, 0, 0];
  const flusher = new Flusher(`${path}-wal`, {
    write: () => {
      const write = Promise.withResolvers<void>();
      writes.push(write);
      return write.promise;
    },
    writeNow: () => {
      inPlace += 1;
      now += diskMs;
    },
    now: () => now,
  });
  database = Database.open(path, { flusher });
  database.transaction(() => undefined);
  database.flushNow(); // which shows that it is slow
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true });
});

const nextRound = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function commits(): GroupCommit {
  const say = (what: string) => (): void => void heard.push(what);
  return new GroupCommit(database, {
    beforeCommit: () => undefined,
    committed: say('committed'),
    rolledBack: say('rolled back'),
  });
}

const work = (name: string): Work => ({
  run: () => {
    heard.push(`${name} runs`);
    return 1;
  },
  settle: () => void heard.push(`${name} is durable`),
  fail: (error) => void heard.push(`${name} failed: ${(error as Outage).message.slice(0, 8)}`),
});

describe('a group of appends', () => {
  it('hears of its commit when the disk has it; meanwhile nothing is committed, readers wait, and the loop goes on (proves COMMIT-5, SQLITE-2)', async () => {
    const group = commits();
    group.add(work('a'));
    await eventually('the disk is asked', () => writes.length === 1);
    group.add(work('b'));
    let read = false;
    void group.durable()?.then(() => void (read = heard.push('a reader goes on') > 0));
    for (let round = 0; round < 5; round += 1) await nextRound();
    expect(heard).toEqual(['a runs']);

    writes[0]?.resolve();
    await eventually('the next commit', () => writes.length === 2);
    expect(read).toBe(true);
    expect(heard).toEqual(['a runs', 'a is durable', 'committed', 'a reader goes on', 'b runs']);
    writes[1]?.resolve();
    await eventually('its end', () => group.durable() === undefined);
    expect(heard.slice(-2)).toEqual(['b is durable', 'committed']);
  });

  it('is told when the disk fails, and nothing more is written until the server starts again (proves FLUSH-2)', async () => {
    const group = commits();
    group.add(work('a'));
    await eventually('the disk is asked', () => writes.length === 1);
    group.add(work('b'));
    writes[0]?.reject(new Error('EIO'));
    await eventually('both are told', () => heard.length === 4);

    expect(heard).toEqual(['a runs', 'rolled back', 'a failed: The disk', 'b failed: The disk']);
    await expect(database.write(() => 1)).rejects.toThrow(Outage);
    await expect(database.ready()).rejects.toThrow('did not take what was written');
  });

  it('that waits for the disk when its journal closes is on it then', async () => {
    const group = commits();
    group.add(work('a'));
    await eventually('the disk is asked', () => writes.length === 1);
    group.add(work('b'));
    group.close();
    expect(heard).toEqual(['a runs', 'a is durable', 'committed', 'b runs', 'b is durable', 'committed']);
    writes[0]?.resolve();
    await nextRound();
    expect(heard).toHaveLength(6);
  });
});

describe('a flush', () => {
  it('of a quick disk is waited for in place, and of a slow one so again when it has been quick for a while', async () => {
    now += 1_001;
    diskMs = 1;
    expect(database.isSlow).toBe(false);
    expect(await database.write(() => 'quick')).toBe('quick');
    const group = commits();
    group.add(work('a'));
    await eventually('its end', () => heard.length === 3);
    expect([writes.length, inPlace]).toEqual([0, 3]);

    diskMs = 51;
    await database.write(() => 1);
    expect(database.isSlow).toBe(true);
    const slow = database.write(() => 1);
    await eventually('it is waited for beside the loop', () => writes.length === 1);
    now += 1_001; // it took that long
    writes[0]?.resolve();
    await slow;
    expect(database.isSlow).toBe(true);
    now += 1_001;
    expect(database.isSlow).toBe(false);
  });

  it('waits for a write of the disk that began after it was asked for; those who wait share one (proves FLUSH-1)', async () => {
    database.transaction(() => undefined);
    const done: number[] = [];
    const flush = (number: number): void => void database.flush().then(() => done.push(number));
    flush(1);
    await eventually('the disk is asked', () => writes.length === 1);
    flush(2);
    flush(3);
    writes[0]?.resolve();
    await eventually('the disk is asked again', () => writes.length === 2);
    expect(done).toEqual([1]);
    writes[1]?.resolve();
    await eventually('all', () => done.length === 3);
    expect(writes).toHaveLength(2);
  });

  it('is waited for by whoever writes something else', async () => {
    let isOver = false;
    void database.write(() => 1).then(() => (isOver = true));
    await eventually('the disk is asked', () => writes.length === 1);
    for (let round = 0; round < 3; round += 1) await nextRound();
    expect(isOver).toBe(false);
    writes[0]?.resolve();
    await eventually('it is over', () => isOver);
  });
});
