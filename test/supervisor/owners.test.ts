/** Who lives, by what this process has seen: with clocks that disagree, and a database that was away. */
import { beforeEach, expect, it } from 'vitest';
import { LEASE_TTL_MS } from '../../src/kernel/limit.ts';
import type { Heartbeat } from '../../src/supervisor/owner-store.ts';
import { Owners } from '../../src/supervisor/owners.ts';

let beats: Map<string, number>;
let owners: Owners;
/** Of the monotonic clock. */
let now: number;
/** How long the store takes to answer. */
let answerMs: number;
let isAway: boolean;
beforeEach(() => {
  beats = new Map();
  now = 1_000;
  answerMs = 0;
  isAway = false;
  const store = {
    beat: async (owner: string) => {
      if (isAway) throw new Error('away');
      beat(owner);
    },
    heartbeats: async () => {
      const answer = [...beats].map(([owner, count]): Heartbeat => ({ owner, beats: count }));
      now += answerMs;
      return answer;
    },
    retire: async (owner: string) => void beats.delete(owner),
  };
  owners = new Owners(store, { monotonicNow: () => now });
});

function beat(owner: string): void {
  beats.set(owner, (beats.get(owner) ?? 0) + 1);
}

/** Looks once per second until then; answers what the last look saw. */
async function watch(ms: number, each: () => void = () => undefined): Promise<readonly string[]> {
  let seen: readonly string[] = [];
  for (const end = now + ms; now < end; now += 1_000) {
    each();
    seen = await owners.alive();
  }
  return seen;
}

it('proves OWNER-1: an owner is dead when its heartbeat has not changed for LEASE_TTL_MS, and alive while it does', async () => {
  beat('kept');
  beat('left');

  expect(await watch(LEASE_TTL_MS, () => beat('kept'))).toEqual(['kept', 'left']);
  expect([owners.lives('kept'), owners.lives('left')]).toEqual([true, true]);
  expect(await watch(2_000, () => beat('kept'))).toEqual(['kept']);
  expect([owners.lives('kept'), owners.lives('left')]).toEqual([true, false]);
  beat('left'); // it was only slow
  expect(await owners.alive()).toEqual(['kept', 'left']);
});

it('proves OWNER-2: after a time in which nobody could ask, everybody has the time to beat again', async () => {
  beat('other');
  await watch(10_000);
  now += 60_000; // the database was away for all of them

  expect(await watch(10_000)).toEqual(['other']);
  expect(await watch(LEASE_TTL_MS)).toEqual([]);
});

it('proves OWNER-2: a look that the database answers late is none', async () => {
  beat('other');
  await watch(10_000);
  answerMs = 30_000; // it was away for all of them, and the question waited
  await owners.alive();
  answerMs = 0;

  expect(await watch(10_000)).toEqual(['other']);
});

it('an owner that retires is dead at once', async () => {
  await owners.beat('own');
  expect(await owners.alive()).toEqual(['own']);
  await owners.retire('own');

  expect(await owners.alive()).toEqual([]);
});

it('proves OWNER-3: the own heartbeat is kept up while the store has taken one within LEASE_TTL_MS', async () => {
  expect([owners.isBeating, owners.hasLapsed]).toEqual([false, false]);
  await owners.beat('own');
  now += LEASE_TTL_MS - 1;
  expect([owners.isBeating, owners.hasLapsed]).toEqual([true, false]);
  isAway = true;
  await expect(owners.beat('own')).rejects.toThrow('away');
  now += 1;
  expect([owners.isBeating, owners.hasLapsed]).toEqual([false, true]);
  isAway = false;
  await owners.beat('own');

  expect([owners.isBeating, owners.hasLapsed]).toEqual([true, false]);
});

it('an owner that has been dead for long is swept out by who watched it, and by nobody who did not', async () => {
  beat('dead');
  await watch(60_000);
  now += 3_600_000; // nobody looked
  await owners.sweep();
  await owners.alive();
  await owners.sweep();
  expect([...beats.keys()]).toEqual(['dead']);

  await watch(601_000, () => beat('alive'));
  await owners.sweep();
  expect([...beats.keys()]).toEqual(['alive']);
});
