/** Erasing what deleted sessions have left: when, how often, and what puts it off. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/kernel/clock.ts';
import type { SessionId } from '../../src/kernel/id.ts';
import { silentLogger as logger } from '../../src/kernel/logger.ts';
import { openSqlite, type SqliteStore } from '../../src/platform/sqlite/store.ts';
import type { DeletionStore } from '../../src/sessions/deletion-store.ts';
import { Erasure } from '../../src/supervisor/erasure.ts';
import { ERASURE_SWEEP_MS } from '../../src/supervisor/limit.ts';
import { eventually } from '../support/eventually.ts';
import { OURS } from '../support/organisation.ts';
import { appending, queuedSession, spoken } from '../support/session-log.ts';

/** Whoever sleeps on it has slept by the next round of the event loop. */
class QuickClock implements Clock {
  #now = 0;

  now(): number {
    return this.#now;
  }

  monotonicNow(): number {
    return this.#now;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await new Promise(setImmediate);
    if (signal?.aborted !== true) this.#now += ms;
  }
}

let store: SqliteStore;
let clock: QuickClock;
let stop: AbortController;
let running: Promise<void>;
/** Files that were removed; whether another server has them; sessions whose slot has not ended. */
let forgotten: SessionId[];
let isHeld: boolean;
const busy = new Set<SessionId>();

beforeEach(() => {
  store = openSqlite({ path: ':memory:' });
  clock = new QuickClock();
  stop = new AbortController();
  forgotten = [];
  isHeld = false;
  running = Promise.resolve();
});
afterEach(async () => {
  stop.abort();
  await running;
  store.close();
  busy.clear();
});

function start(given: Partial<DeletionStore> = {}): Erasure {
  const own = store.deletions;
  const deletions: DeletionStore = {
    lateMs: own.lateMs,
    begin: (tombstone) => own.begin(tombstone),
    tombstone: (id, organisationId) => own.tombstone(id, organisationId),
    pending: (page) => own.pending(page),
    erase: (ids) => own.erase(ids),
    finish: (ids) => own.finish(ids),
    overwrite: () => own.overwrite(),
    ...given,
  };
  const launcher = {
    forget: async (id: SessionId) => {
      forgotten.push(id);
      return !isHeld;
    },
  };
  const erasure = new Erasure({ deletions, launcher, clock, logger });
  running = erasure.run(stop.signal, (id) => busy.has(id));
  return erasure;
}

async function deleted(): Promise<SessionId> {
  const id = await queuedSession(store);
  await store.journal.append(id, { decide: appending(...Array.from({ length: 90 }, () => spoken('x'))) });
  await store.deletions.begin({
    id,
    organisationId: OURS.id,
    deletedAt: 1,
    deletedBy: { kind: 'system' },
  });
  return id;
}
const pending = () => store.deletions.pending({ limit: 1_000 });
const nothingPending = () => eventually('nothing is pending', async () => (await pending()).length === 0);

describe('erasing', () => {
  it('proves ERASURE-2: finds what is pending at the start, and at a sweep what nobody told of', async () => {
    const ids = [await deleted(), await deleted()];
    start();
    await nothingPending();
    const quiet = await deleted();
    await nothingPending();

    expect(forgotten.toSorted()).toEqual([...ids, quiet].toSorted());
  });

  it('takes what it is told of at once', async () => {
    const erasure = start();
    const id = await deleted();
    erasure.told(id);
    await nothingPending();

    expect(forgotten).toContain(id);
  });

  it('proves ERASURE-2: takes more than fit one look, and goes on when the store fails', async () => {
    for (let count = 0; count < 120; count += 1) await deleted();
    let failures = 2;
    start({
      erase: (ids) => {
        failures -= 1;
        return failures >= 0 ? Promise.reject(new Error('no answer')) : store.deletions.erase(ids);
      },
    });
    await eventually('nothing is pending', async () => {
      return (await pending()).length === 0;
    });
  });

  it('proves ERASURE-1: erases nothing while something of the session runs here, and after it all', async () => {
    const id = await deleted();
    busy.add(id);
    let looks = 0;
    const erasure = start({
      pending: (page) => {
        looks += 1;
        return store.deletions.pending(page);
      },
    });
    erasure.told(id);
    await eventually('some looks', () => {
      return looks > 3;
    });
    expect(forgotten).toEqual([]);
    expect(await pending()).toEqual([id]);

    busy.delete(id);
    erasure.told(id); // as the end of its slot does
    await nothingPending();
  });

  it('waits for files that another server has, and asks again', async () => {
    isHeld = true;
    const id = await deleted();
    start();
    await eventually('it asked twice', () => {
      return forgotten.length > 1;
    });
    expect(await pending()).toEqual([id]);

    isHeld = false;
    await nothingPending();
  });

  it('proves ERASURE-3: looks once more after the time in which others may have written, and finishes then', async () => {
    const id = await deleted();
    const erasedAt: number[] = [];
    start({
      lateMs: 10 * ERASURE_SWEEP_MS,
      erase: async (ids) => {
        if (ids.length > 0) erasedAt.push(clock.now());
        return store.deletions.erase(ids);
      },
    });
    await nothingPending();

    expect(forgotten).toEqual([id, id]);
    const [first = 0, second = 0, ...more] = erasedAt;
    expect(more).toEqual([]);
    expect(second - first).toBeGreaterThanOrEqual(10 * ERASURE_SWEEP_MS);
  });

  it('has files overwritten, again until no other program keeps what they hold', async () => {
    let overwritten = 0;
    await deleted();
    start({
      overwrite: async () => {
        overwritten += 1;
        return overwritten > 1; // another program reads, the first time
      },
    });
    await nothingPending();
    await eventually('it was asked for again', () => overwritten === 2);
  });
});
