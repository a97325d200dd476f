/** Who lives, by what this process has seen: with clocks that disagree, and a database that was away. */
import { beforeEach, expect, it } from 'vitest';
import { LEASE_TTL_MS } from '../../src/kernel/limit.ts';
import { BEAT_MS } from '../../src/supervisor/limit.ts';
import type { Heartbeat } from '../../src/supervisor/owner-store.ts';
import { Owners } from '../../src/supervisor/owners.ts';

const START = 1_763_800_000_000;
let beats: Map<string, number>;
let owners: Owners;
let now: number;
beforeEach(() => {
  beats = new Map();
  now = START;
  owners = new Owners({
    beat: async (owner, expiresAt) => void beats.set(owner, expiresAt),
    heartbeats: async () => [...beats].map(([owner, expiresAt]): Heartbeat => ({ owner, expiresAt })),
    retire: async (owner) => void beats.delete(owner),
  });
});

/** Looks once per second until then; answers what the last look saw. */
async function watch(ms: number, each: () => void = () => undefined): Promise<readonly string[]> {
  let seen: readonly string[] = [];
  for (const end = now + ms; now < end; now += 1_000) {
    each();
    seen = await owners.alive(now);
  }
  return seen;
}

it('an owner is dead when its heartbeat has not changed for LEASE_TTL_MS, and alive while it does', async () => {
  beats.set('kept', START + LEASE_TTL_MS).set('left', START + LEASE_TTL_MS);

  expect(await watch(LEASE_TTL_MS, () => beats.set('kept', now + LEASE_TTL_MS))).toEqual(['kept', 'left']);
  expect(await watch(2_000, () => beats.set('kept', now + LEASE_TTL_MS))).toEqual(['kept']);
});

it('an owner whose clock is a minute behind lives as long as it beats', async () => {
  const behind = (): void => void beats.set('behind', now - 60_000 + LEASE_TTL_MS);

  expect(await watch(60_000, behind)).toEqual(['behind']);
});

it('after a time in which nobody could ask, everybody has the time to beat again', async () => {
  beats.set('other', START + LEASE_TTL_MS);
  await watch(10_000);
  now += 60_000; // the database was away for all of them

  expect(await watch(10_000)).toEqual(['other']);
  expect(await watch(LEASE_TTL_MS)).toEqual([]);
});

it('an owner that ran out long ago needs no watching', async () => {
  beats.set('yesterday', START - 86_000_000);

  expect(await owners.alive(now)).toEqual([]);
});

it('an owner that retires is dead at once, and its own heartbeat goes by its own clock', async () => {
  await owners.beat('own', START + BEAT_MS);
  expect(await owners.alive(now)).toEqual(['own']);
  expect([await owners.isBeating('own', now), await owners.isBeating('own', now + BEAT_MS)]).toEqual([
    true,
    false,
  ]);
  await owners.retire('own');
  expect(await owners.alive(now)).toEqual([]);
});
