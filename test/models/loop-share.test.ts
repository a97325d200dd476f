import { expect, it } from 'vitest';
import type { Clock } from '../../src/kernel/clock.ts';
import { systemScheduler } from '../../src/kernel/scheduler.ts';
import { LoopShare, type Steps } from '../../src/models/loop-share.ts';

/** Each step of work takes a millisecond of it, and sleeping its time. */
class WorkedClock implements Clock {
  ms = 0;
  slept = 0;
  now(): number {
    return this.ms;
  }
  monotonicNow(): number {
    return this.ms;
  }
  async sleep(ms: number): Promise<void> {
    this.ms += ms;
    this.slept += ms;
  }
}

const QUIET = new AbortController().signal;
const share = (clock: Clock): LoopShare => new LoopShare({ clock, scheduler: systemScheduler });

function* steps(count: number, clock: WorkedClock, onStep: () => void = () => undefined): Steps<number> {
  for (let step = 0; step < count; step += 1) {
    clock.ms += 1;
    onStep();
    yield;
  }
  return count;
}

it('lets the loop go round in between, for each of many that work at once (proves LOOP-1)', async () => {
  const clock = new WorkedClock();
  const loop = share(clock);
  let inRound = 0;
  let most = 0;
  let isOver = false;
  const round = (): void => {
    most = Math.max(most, inRound);
    inRound = 0;
    if (!isOver) setImmediate(round);
  };
  setImmediate(round);

  const each = Array.from({ length: 5 }, (_, session) =>
    loop.work(
      steps(40, clock, () => (inRound += 1)),
      { session: String(session), signal: QUIET },
    ),
  );

  expect(await Promise.all(each)).toEqual([40, 40, 40, 40, 40]);
  isOver = true;
  most = Math.max(most, inRound);
  // what each may do before it waits for the first time; then one has its turn in a round
  expect(most).toBeLessThanOrEqual(5 * 2 + 2);
});

it('gives a session its share of the time, over all its calls, and others theirs (proves LOOP-2)', async () => {
  const clock = new WorkedClock();
  const loop = share(clock);
  const work = (session: string, count: number) => loop.work(steps(count, clock), { session, signal: QUIET });

  await work('a', 150);
  expect(clock.slept).toBe(0); // at once

  for (let call = 0; call < 20; call += 1) await work('a', 50);
  const worked = 150 + 20 * 50;
  expect(worked / clock.ms).toBeLessThan(0.09);
  expect(worked / clock.ms).toBeGreaterThan(0.05);

  const { slept } = clock;
  await work('b', 150);
  expect(clock.slept).toBe(slept);
});

it('ends with what the steps throw, and when nobody waits any longer', async () => {
  const clock = new WorkedClock();
  const gone = new AbortController();
  const failing = share(clock).work(
    steps(9, clock, () => {
      throw new Error('no');
    }),
    { session: 'a', signal: QUIET },
  );
  await expect(failing).rejects.toThrow('no');

  const work = share(clock).work(
    steps(1_000, clock, () => gone.abort(new Error('gone'))),
    {
      session: 'a',
      signal: gone.signal,
    },
  );
  await expect(work).rejects.toThrow('gone');
});
