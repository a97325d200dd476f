import { expect, it } from 'vitest';
import { TimeSlices } from '../../src/kernel/time-slices.ts';

/** An event loop that goes round when it is told to, and a clock that moves by what work takes. */
function world(sliceMs: number) {
  let queued: (() => void)[] = [];
  const state = { now: 1_000 };
  const slices = new TimeSlices({
    scheduler: {
      immediate: (work: () => void) => {
        queued.push(work);
        return () => undefined;
      },
      interval: () => () => undefined,
    },
    monotonicNow: () => state.now,
    sliceMs,
  });
  return {
    state,
    slices,
    async round(): Promise<void> {
      const now = queued;
      queued = [];
      for (const work of now) work();
      for (let settled = 0; settled < 20; settled += 1) await Promise.resolve();
    },
    get isIdle() {
      return queued.length === 0;
    },
  };
}

it('does so much in one round, and the rest in the next ones (proves SLICE-1)', async () => {
  const { slices, state, round } = world(3);
  let done = 0;
  const perRound: number[] = [];
  for (let at = 0; at < 8; at += 1) {
    slices.run({ at }, () => {
      done += 1;
      state.now += 1;
    });
  }
  for (let at = 0; at < 4; at += 1) {
    perRound.push(done);
    done = 0;
    await round();
  }

  expect(perRound).toEqual([3, 3, 2, 0]);
});

it('counts what the promises of a piece do as its work (proves SLICE-1)', async () => {
  const { slices, state, round } = world(3);
  const done: number[] = [];
  slices.run({}, () => (state.now += 3));
  for (let at = 0; at < 4; at += 1) {
    slices.run({ at }, () => {
      done.push(at);
      void Promise.resolve().then(() => (state.now += 3));
    });
  }
  await round();

  // The second is begun before the promise of the first had its turn, as promises are queued: no more than that.
  expect(done.length).toBeLessThanOrEqual(2);
});

it('gives owners who wait one piece each, one after the other (proves SLICE-2)', async () => {
  const { slices, state, round } = world(1);
  const done: string[] = [];
  const [greedy, modest] = [{}, {}];
  for (let at = 0; at < 4; at += 1) {
    slices.run(greedy, () => {
      done.push(`greedy ${at}`);
      state.now += 1;
    });
  }
  slices.run(modest, () => done.push('modest'));
  for (let at = 0; at < 6; at += 1) await round();

  expect(done).toEqual(['greedy 0', 'greedy 1', 'modest', 'greedy 2', 'greedy 3']);
});

it('is free again when nobody waits, and leaves nothing in the loop', async () => {
  const events = world(1);
  events.slices.run({}, () => (events.state.now += 5));
  await events.round();

  expect([events.isIdle, events.slices.waiting]).toEqual([true, 0]);
  let isDone = false;
  events.slices.run({}, () => (isDone = true));
  expect(isDone).toBe(true);
});

it('has slices with pauses between them while a crowd arrives, and none of that for some (proves SLICE-3)', async () => {
  const { slices, state, round } = world(1);
  /** In how many of them something was done. */
  const rounds = async (count: number, arrives: boolean): Promise<number> => {
    let withWork = 0;
    for (let at = 0; at < count; at += 1) {
      let done = 0;
      state.now += 1; // a round takes time, whatever is done in it
      if (arrives) slices.arrived();
      slices.run({ at }, () => (done += 1));
      await round();
      if (done > 0 || slices.waiting === 0) withWork += 1;
    }
    return withWork;
  };

  expect(await rounds(6, true)).toBe(6);
  await rounds(2, false);
  const crowd = await rounds(200, true);
  expect(crowd).toBeLessThan(50);
  expect(crowd).toBeGreaterThan(10); // those who are here go on too
  expect(await rounds(20, false)).toBeGreaterThan(18);
  expect(slices.waiting).toBe(0);
});

it('has lanes take turns, so that nobody who is known waits behind a crowd of newcomers (proves SLICE-4)', async () => {
  const { slices, state, round } = world(1);
  const done: string[] = [];
  const [answered, keyed] = [{}, {}];
  const add = (name: string, owner: object): void =>
    slices.run(owner, () => {
      done.push(name);
      state.now += 1;
    });
  slices.promote(answered, 'answered');
  for (let at = 0; at < 5; at += 1) add(`new ${at}`, {});
  add('answered', answered);
  add('keyed 0', keyed);
  add('keyed 1', keyed);
  slices.promote(keyed, 'keyed'); // with what it has waiting
  slices.promote(keyed, 'answered'); // which it does not become
  add('keyed 2', keyed);
  expect([slices.waiting, slices.laneOf(keyed), slices.laneOf({})]).toEqual([6, 'keyed', 'new']);
  for (let at = 0; at < 9; at += 1) await round();

  expect(done).toEqual([
    ...['new 0', 'keyed 0', 'answered', 'new 1', 'keyed 1', 'new 2', 'keyed 2', 'new 3', 'new 4'],
  ]);
});
