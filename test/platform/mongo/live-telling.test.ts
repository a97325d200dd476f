/** How the live channel writes, over a collection and a clock that the test holds: no server is needed for it. */
import type { ReplaceOneModel } from 'mongodb';
import { expect, it } from 'vitest';
import type { Clock } from '../../../src/kernel/clock.ts';
import { newId } from '../../../src/kernel/id.ts';
import { LiveChannel } from '../../../src/platform/mongo/live/live-channel.ts';
import type { LiveDocument } from '../../../src/platform/mongo/live/live-outbox.ts';
import { eventually } from '../../support/eventually.ts';

interface Write extends PromiseWithResolvers<void> {
  readonly document: ReplaceOneModel<LiveDocument>['replacement'];
}

/** A channel whose writes and pauses end when the test says so, and which hears nothing. */
function begin() {
  const writes: Write[] = [];
  const pauses: { readonly ms: number; readonly end: () => void }[] = [];
  let concern: unknown;
  const closed = Promise.withResolvers<never>();
  const stream = {
    on: () => stream,
    off: () => stream,
    next: () => closed.promise,
    close: async () => closed.reject(new Error('closed')),
  };
  const collection = {
    watch: () => stream,
    replaceOne: (_filter: unknown, document: Write['document']) => {
      const write = { ...Promise.withResolvers<void>(), document };
      writes.push(write);
      return write.promise;
    },
  };
  const db = {
    collection: (_name: string, options: unknown) => {
      concern = options;
      return collection;
    },
  };
  const clock: Clock = {
    now: () => 0,
    monotonicNow: () => 0,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted === true) return resolve();
        pauses.push({ ms, end: resolve });
        signal?.addEventListener('abort', () => resolve(), { once: true });
      }),
  };
  const channel = new LiveChannel({ database: { db: db as never }, clock }); // all that it uses of a database
  return { channel, writes, pauses, concern: () => concern };
}

/** Lets the event loop go round; what could be written by now has been. */
async function rounds(): Promise<void> {
  for (let round = 0; round < 20; round += 1) await new Promise((resolve) => setImmediate(resolve));
}

it('has one write in flight, pauses before the next, and waits for no disk (CHANNEL-2)', async () => {
  const { channel, writes, pauses, concern } = begin();
  const [first, second] = [newId('session'), newId('session')];
  channel.hint(first, 1);
  await eventually('the first write', () => writes.length === 1);
  channel.hint(first, 2);
  channel.hint(second, 7);
  channel.post(second, { callId: 'c1', offset: 0, text: 'Hel' });
  channel.post(second, { callId: 'c1', offset: 3, text: 'lo' });
  await rounds();
  expect([writes.length, pauses.length], 'it is in flight').toEqual([1, 0]);

  writes[0]?.resolve();
  await eventually('the pause', () => pauses.length === 1);
  await rounds();
  expect(writes.length, 'it pauses').toBe(1);
  expect(pauses[0]?.ms).toBeGreaterThan(0);

  pauses[0]?.end();
  await eventually('the second write', () => writes.length === 2);
  expect(writes[1]?.document).toMatchObject({
    hints: [
      { sessionId: first, head: 2 },
      { sessionId: second, head: 7 },
    ],
    deltas: [{ sessionId: second, callId: 'c1', offset: 0, text: 'Hello' }],
  });
  expect(concern()).toEqual({ writeConcern: { w: 1, journal: false } });
  writes[1]?.resolve();
  await channel.close();
});

it('takes what it is told while it cannot write, and writes the hints later (CHANNEL-2)', async () => {
  const { channel, writes, pauses } = begin();
  const [first, second] = [newId('session'), newId('session')];
  channel.hint(first, 1);
  await eventually('the first write', () => writes.length === 1);
  writes[0]?.reject(new Error('no server'));
  await eventually('the pause', () => pauses.length === 1);

  channel.hint(second, 2);
  channel.post(second, { callId: 'c1', offset: 0, text: 'Hello' });
  await rounds();
  expect(writes.length, 'it pauses').toBe(1);

  pauses[0]?.end();
  await eventually('the second write', () => writes.length === 2);
  expect(writes[1]?.document).toMatchObject({
    hints: [
      { sessionId: first, head: 1 },
      { sessionId: second, head: 2 },
    ],
  });
  writes[1]?.resolve();
  await channel.close();
});
