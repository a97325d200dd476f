/** The time that retention counts by, under clocks that are set, servers that come and go, and several of them. */
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/kernel/logger.ts';
import { RetentionClock, retentionTime } from '../../src/sessions/retention-clock.ts';
import { randomOf } from '../support/random.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function world(now = 1_000 * DAY) {
  /** True time, by which everything really happens. */
  let truly = now;
  let stored: number | undefined;
  const store = {
    time: async () => stored,
    advance: async (at: number) => (stored = Math.max(stored ?? at, at)),
  };
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (message: string) => void warnings.push(message) };
  /** A server; its wall clock is off by what `ahead` answers. */
  const server = (ahead: () => number = () => 0) => {
    const startedAt = truly;
    const clock = { now: () => truly + ahead(), monotonicNow: () => truly - startedAt };
    return { time: new RetentionClock({ store, clock, logger }), clock };
  };
  const pass = (ms: number): void => void (truly += ms);
  return { server, pass, now: () => truly, store, warnings };
}

describe('the clock of retention', () => {
  it('is the wall clock where nobody sets that', async () => {
    const { server, pass, now, store } = world();
    const { time, clock } = server();
    for (let step = 0; step < 50; step += 1) {
      expect(await time.now()).toBe(now());
      expect(await retentionTime(store, clock)).toBe(now());
      pass(60_000);
    }
  });

  it('goes a day ahead in an hour when the wall clock is set a year ahead (proves RETENTION-3)', async () => {
    let ahead = 0;
    const { server, pass, now, warnings } = world();
    const { time } = server(() => ahead);
    await time.now();
    const before = now();
    ahead = 365 * DAY;

    for (let minute = 0; minute < 60; minute += 1) {
      pass(60_000);
      await time.now();
    }

    expect(await time.now()).toBe(before + DAY);
    expect(warnings).toHaveLength(1);
    ahead = 0; // somebody puts it right
    pass(60_000);
    expect(await time.now(), 'never ahead of the server’s own clock').toBe(now());
  });

  it('goes no faster by being started anew again and again, nor with ten servers, whatever their clocks say (proves RETENTION-3)', async () => {
    const seed = Date.now() % 1_000_000;
    const random = randomOf(seed);
    const { server, pass, now } = world();
    await server().time.now();
    const before = now();
    const make = () => server(() => random.below(400) * DAY);
    const servers = Array.from({ length: 10 }, make);

    for (let step = 0; step < 600; step += 1) {
      pass(random.below(60_000));
      const at = random.below(servers.length);
      if (random.below(4) === 0) servers[at] = make();
      const time = (await servers[at]?.time.now()) ?? 0;
      expect(time - before, `seed ${seed}`).toBeLessThanOrEqual(24 * (now() - before));
    }
  });

  it('catches up after a long time without a server, and is not taken back by a clock that is behind', async () => {
    let ahead = 0;
    const { server, pass, now } = world();
    await server().time.now();
    const before = now();
    pass(7 * DAY);
    const { time } = server(() => ahead);

    expect(await time.now()).toBe(before);
    for (let minute = 0; minute < 8 * 60; minute += 1) {
      pass(60_000);
      await time.now();
    }
    expect(await time.now()).toBe(now());
    ahead = -DAY;
    expect(await time.now()).toBe(now() - DAY);
    ahead = 0;
    pass(60_000);
    expect(await time.now()).toBe(now());
  });
});
