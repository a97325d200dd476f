/** When frames of SSE are made. */
import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { boundedStream } from '../../src/api/graphql/answer-bounds.ts';

it('makes the next frame of a stream when the one before was taken (proves REPLY-2)', async () => {
  let asked = 0;
  const source = {
    next: () => Promise.resolve({ done: false as const, value: { data: { seq: (asked += 1) } } }),
    [Symbol.asyncIterator]: () => source,
  };
  const res = Object.assign(new EventEmitter(), { writableNeedDrain: false, closed: false });
  const stream = boundedStream(source, { res: res as never }); // as: what it looks at
  await stream.next();
  res.writableNeedDrain = true;
  const second = stream.next();
  await new Promise((resolve) => setImmediate(resolve));
  expect(asked).toBe(1);

  res.emit('drain');
  await second;
  expect(asked).toBe(2);
  const third = stream.next();
  res.emit('close');
  await third;
  expect(res.eventNames()).toEqual([]);
});

it('ends a stream with the frame of which something was refused (proves REPLY-3)', async () => {
  let isRefused = false;
  let returned = 0;
  const source = {
    next: () => Promise.resolve({ done: false as const, value: { data: {} } }),
    return: () => {
      returned += 1;
      return Promise.resolve({ done: true as const, value: undefined });
    },
    [Symbol.asyncIterator]: () => source,
  };
  const reading = {
    get isRefused() {
      return isRefused;
    },
  };
  const stream = boundedStream(source, { reading });
  expect((await stream.next()).done).toBe(false);
  isRefused = true;

  expect((await stream.next()).done).toBe(false);
  expect(returned).toBe(1);
  isRefused = false;
  expect((await stream.next()).done).toBe(true);
});
