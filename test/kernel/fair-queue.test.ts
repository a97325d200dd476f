import { expect, it } from 'vitest';
import { FairQueue } from '../../src/kernel/fair-queue.ts';
import { FairSemaphore } from '../../src/kernel/fair-semaphore.ts';
import { RoundRobin } from '../../src/kernel/round-robin.ts';

const NEVER = new AbortController().signal;

/** All that waits in order, each charged what `costOf` says. */
function taken(queue: FairQueue<string>, costOf: (item: string) => number): string {
  const items: string[] = [];
  for (let next = queue.take(); next !== undefined; next = queue.take()) {
    items.push(next.item);
    next.charge(costOf(next.item));
  }
  return items.join(' ');
}

it('lets who uses little go before who has used much', () => {
  const queue = new FairQueue<string>();
  for (let count = 0; count < 3; count += 1) queue.push('heavy', '', 'H');
  for (let count = 0; count < 12; count += 1) queue.push('light', '', 'l');

  expect(taken(queue, (item) => (item === 'H' ? 5 : 1))).toBe('H l l l l l H l l l l l H l l');
});

it('lets the parts of one owner go by what they have used as well', () => {
  const queue = new FairQueue<string>();
  for (const part of ['a', 'a', 'b', 'b', 'b']) queue.push('owner', part, part);

  expect(taken(queue, (item) => (item === 'a' ? 2 : 1))).toBe('a b b a b');
});

it('lets nobody save up: who comes late begins where the others are, and who used much owes it when it comes back', () => {
  const queue = new FairQueue<string>();
  for (let count = 0; count < 4; count += 1) queue.push('steady', '', 's');
  queue.push('heavy', '', 'H');
  const first: unknown[] = [];
  for (const cost of [1, 3]) {
    const next = queue.take();
    first.push(next?.item);
    next?.charge(cost);
  }
  queue.push('heavy', '', 'H');
  queue.push('late', '', 'l');
  queue.push('late', '', 'l');

  expect(first).toEqual(['s', 'H']);
  expect(taken(queue, () => 1)).toBe('l s l s s H');
});

it('forgets what was given up', () => {
  const queue = new FairQueue<string>();
  const giveUp = queue.push('one', '', 'x');
  queue.push('two', '', 'y');
  giveUp();
  giveUp();

  expect(taken(queue, () => 1)).toBe('y');
});

/** An event loop whose rounds the test goes: what is due in the next one. */
function rounds() {
  const queued: (() => void)[] = [];
  const scheduler = {
    immediate: (work: () => void) => {
      queued.push(work);
      return () => undefined;
    },
    interval: () => () => undefined,
  };
  const due = (): readonly (() => void)[] => queued.splice(0);
  return { scheduler, due };
}

it('gives turns by the time that the turns before have taken', async () => {
  let now = 0;
  const { scheduler, due } = rounds();
  const turns = new RoundRobin(scheduler, () => now);
  const had: string[] = [];
  const take = (owner: string, ms: number): void =>
    void turns.turn(owner).then(() => {
      had.push(owner);
      now += ms;
    });
  take('first', 0);
  for (let count = 0; count < 3; count += 1) take('heavy', 10);
  for (let count = 0; count < 6; count += 1) take('light', 1);
  for (let round = due(); round.length > 0; round = due()) {
    for (const work of round) work();
    for (let settled = 0; settled < 5; settled += 1) await Promise.resolve();
  }

  expect(had.join(' ')).toBe('first heavy light light light light light light heavy heavy');
});

it('gives permits to the owners one after the other, and hands on what an aborted wait would have had (proves RENDER-1)', async () => {
  const semaphore = new FairSemaphore(1);
  const had: string[] = [];
  const release = await semaphore.acquire('greedy', '', NEVER);
  const wait = (owner: string, signal: AbortSignal = NEVER): void =>
    void semaphore.acquire(owner, '', signal).then((free) => {
      if (free === undefined) return;
      had.push(owner);
      free();
    });
  const gone = new AbortController();
  for (let count = 0; count < 3; count += 1) wait('greedy');
  wait('gone', gone.signal);
  wait('modest');
  gone.abort();
  release?.();
  for (let settled = 0; settled < 60; settled += 1) await Promise.resolve();

  expect(had).toEqual(['greedy', 'modest', 'greedy', 'greedy']);
});

it('gives as many turns in one round as its bounds allow, and stops when they have taken long', async () => {
  let now = 0;
  const { scheduler, due } = rounds();
  const turns = new RoundRobin(scheduler, () => now, { turns: 4, ms: 10 });
  const given: string[] = [];
  let had = '';
  const take = (name: string, ms: number): void =>
    void turns.turn(name).then(() => {
      had += name;
      now += ms;
    });
  for (let count = 0; count < 11; count += 1) take('s', 1);
  for (let count = 0; count < 3; count += 1) take('L', 8);
  for (let round = 0; round < 9; round += 1) {
    for (const work of due()) {
      work();
      for (let settled = 0; settled < 5; settled += 1) await Promise.resolve();
    }
    given.push(had);
    had = '';
  }

  expect(given[0]).toBe('sssss'); // four at once, and the first of the next round
  expect(given.every((names) => names.length <= 5 && !/L.*L.*L/.test(names))).toBe(true);
  expect(given.join('')).toHaveLength(14);
  expect(due()).toEqual([]);
});
