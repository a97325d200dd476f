/** What a slot waits for before it takes its session: by its own clock, whatever the log says. */
import { beforeEach, describe, expect, it } from 'vitest';
import { EpochStale } from '../../src/journal/faults.ts';
import { openSqlite, type SqliteStore } from '../../src/platform/sqlite/store.ts';
import { decide } from '../../src/sessions/lifecycle.ts';
import { newSession, type Session } from '../../src/sessions/session.ts';
import { SessionRuns } from '../../src/sessions/session-runs.ts';
import { LOSSES_MAX, RETRY_FIRST_MS, RETRY_LAST_MS } from '../../src/supervisor/limit.ts';
import { Sighting } from '../../src/supervisor/sighting.ts';
import { SlotStart } from '../../src/supervisor/slot-start.ts';
import { originOf, queuedSession } from '../support/session-log.ts';

let store: SqliteStore;
let sleeps: number[];
let free: Session;
const never = new AbortController().signal;
beforeEach(async () => {
  store = openSqlite({ path: ':memory:' });
  sleeps = [];
  free = (await store.sessions.get(await queuedSession(store)))?.session as Session; // it was made
  return () => store.close();
});

function startOf(session: Session, random = 1): SlotStart {
  const clock = {
    now: () => Date.UTC(2026, 0, 1),
    monotonicNow: () => 0,
    sleep: async (ms: number) => void sleeps.push(ms),
  };
  const sessions = new SessionRuns({ journal: store.journal, sessions: store.sessions });
  return new SlotStart(session, {
    sessions,
    clock,
    owner: 'me',
    chance: { random: () => random, hex: () => '' },
  });
}

describe('a slot', () => {
  it('waits for nothing before the first brain, and before the next as long as was said, which doubles and has jitter', async () => {
    const start = startOf(free);
    expect(await start.take(never)).toBe(1);
    expect(sleeps).toEqual([]);
    expect(start.lost(1)).toBe(RETRY_FIRST_MS);
    expect(await start.take(never)).toBe(2);
    expect(start.lost(3)).toBe(4 * RETRY_FIRST_MS);
    expect(await start.take(never)).toBe(3);
    expect(startOf(free, 0).lost(3)).toBe(2 * RETRY_FIRST_MS);

    expect(sleeps).toEqual([RETRY_FIRST_MS, 4 * RETRY_FIRST_MS]);
  });

  it('waits for no brain after the last loss: the turn is over', async () => {
    const start = startOf(free);
    expect(start.lost(LOSSES_MAX)).toBeLessThanOrEqual(RETRY_LAST_MS);
    await start.take(never);

    expect(sleeps).toEqual([]);
  });

  it('proves TIME-1: waits after a loss elsewhere as long as that loss means, wherever the clock stood that wrote it', async () => {
    for (const retryAt of [0, Date.UTC(2036, 0, 1)])
      await startOf({ ...free, epoch: 0, losses: 2, retryAt })
        .take(never)
        .catch(() => undefined);

    expect(sleeps).toEqual([2 * RETRY_FIRST_MS, 2 * RETRY_FIRST_MS]);
  });

  it('proves LEASE-1: is refused a session that another one took since it was seen free, and takes none that wants no brain', async () => {
    const seen = startOf(free);
    await store.journal.append(free.id, {
      decide: (session) => decide(session, { kind: 'takeLease', owner: 'other' }),
    });
    await expect(seen.take(never)).rejects.toBeInstanceOf(EpochStale);

    const now = (await store.sessions.get(free.id))?.session as Session; // it is there
    const late = startOf(now);
    const cancel = { kind: 'cancel', actor: { kind: 'human' } } as const;
    await store.journal.append(free.id, { decide: (session) => decide(session, cancel) });
    expect(await late.take(never)).toBeUndefined();
  });

  it('takes nothing once it is told to stop', async () => {
    expect(await startOf(free).take(AbortSignal.abort())).toBeUndefined();
    expect((await store.sessions.get(free.id))?.session.epoch).toBe(0);
  });
});

describe('proves TIME-1: what a slot has seen', () => {
  const WALL = Date.UTC(2026, 0, 1);
  const idle: Session = { ...newSession(originOf()), status: 'idle', statusAt: WALL };
  const turn = { number: 1, state: 'running' } as NonNullable<Session['turn']>; // the rest is not looked at
  const running: Session = { ...idle, status: 'running', statusAt: WALL + 600_000, turnCount: 1, turn };

  it('is so since it saw it first, and anew for the next status and turn', () => {
    const sighting = new Sighting();

    expect(sighting.see(idle, 10)).toMatchObject({ statusSince: 10 });
    expect(sighting.see(idle, 20)).toMatchObject({ statusSince: 10 });
    expect(sighting.see(running, 30)).toEqual({ statusSince: 30, turnSince: 30, stopSince: undefined });
    expect(sighting.see(running, 40)).toEqual({ statusSince: 30, turnSince: 30, stopSince: undefined });
    const next: Session = { ...running, turnCount: 2, turn: { ...turn, number: 2 } };
    expect(sighting.see(next, 50)).toEqual({ statusSince: 50, turnSince: 50, stopSince: undefined });
  });

  it('is to stop since it was first asked to, and the next turn is not', () => {
    const sighting = new Sighting();
    const stopping: Session = { ...running, turn: { ...turn, stopping: 'canceled' } };
    sighting.see(running, 10);

    expect(sighting.see(stopping, 20)).toEqual({ statusSince: 10, turnSince: 10, stopSince: 20 });
    expect(sighting.see(stopping, 30)).toMatchObject({ stopSince: 20 });
    const next: Session = { ...stopping, turnCount: 2 };
    expect(sighting.see(next, 40)).toMatchObject({ turnSince: 40, stopSince: 40 });
  });
});
