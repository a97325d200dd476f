/** Permits: so many at once, in order, and given up without a trace. */
import { expect, it } from 'vitest';
import { Semaphore } from '../../src/kernel/semaphore.ts';

const signal = new AbortController().signal;

it('gives so many at once, then in the order in which they were asked for', async () => {
  const semaphore = new Semaphore(2);
  const first = await semaphore.acquire(signal);
  await semaphore.acquire(signal);
  const order: string[] = [];
  const waiting = ['a', 'b'].map(async (name) => {
    const release = await semaphore.acquire(signal);
    order.push(name);
    release?.();
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(order).toEqual([]);

  first?.();
  await Promise.all(waiting);
  expect(order).toEqual(['a', 'b']);
});

it('passes over who has given up, and loses no permit for it', async () => {
  const semaphore = new Semaphore(1);
  const held = await semaphore.acquire(signal);
  const abort = new AbortController();
  const given = semaphore.acquire(abort.signal);
  const next = semaphore.acquire(signal);
  abort.abort();
  expect(await given).toBeUndefined();

  held?.();
  const release = await next;
  expect(release).toBeTypeOf('function');
  release?.();
  expect(await semaphore.acquire(signal)).toBeTypeOf('function');
  expect(await semaphore.acquire(abort.signal)).toBeUndefined();
});
