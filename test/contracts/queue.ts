/** What every Queue must keep (webhooks/queue.ts, QUEUE-1 to QUEUE-7). */
import { afterEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/kernel/clock.ts';
import { InvalidInput } from '../../src/kernel/fault.ts';
import {
  type DeadLetter,
  QUEUE_BODY_BYTES_MAX,
  QUEUE_DEDUPE_MS,
  QUEUE_DELAY_MS_MAX,
  QUEUE_NAME_CHARS_MAX,
  QUEUE_PAGE_MAX,
  QUEUE_RECEIVE_MAX,
  QUEUE_VISIBILITY_MS_MAX,
  QUEUE_WAIT_MS_MAX,
  type Queue,
  type QueueMessage,
  type ReceivedMessage,
} from '../../src/webhooks/queue.ts';
import { loadQueue } from '../support/queue-load.ts';
import { randomOf } from '../support/random.ts';
import { ShiftedClock } from '../support/shifted-clock.ts';

export interface OpenQueue {
  readonly queue: Queue;
  /** The same queue through another client, where there can be two. */
  readonly other?: Queue | undefined;
  close(): Promise<void>;
  /** Where it is lasting: as another process would find it. */
  reopen?: (() => Promise<OpenQueue>) | undefined;
}

export interface QueuePlatform {
  readonly name: string;
  readonly lasting: boolean;
  /** QUEUE-5: whether it knows an id for longer than the port asks for. */
  readonly knowsLonger: boolean;
  /** A smaller load where the server is slow by nature. */
  readonly load?: { readonly groups: number; readonly messagesEach: number } | undefined;
  open(options: { readonly clock: Clock; readonly receiveCountMax: number }): Promise<OpenQueue>;
}

const VISIBILITY_MS = 30_000;
const RECEIVE_COUNT_MAX = 3;
const LOAD = { groups: 50, messagesEach: 20 };
const LOAD_MS_MAX = 240_000;
/** Long enough that a wait which ends by itself is told apart from one that was ended. */
const LONG_MS = 10_000;

export function queueContract(platform: QueuePlatform): void {
  describe(`the queue contract on ${platform.name}`, () => {
    const clock = new ShiftedClock();
    const open: { close(): Promise<void> }[] = [];
    afterEach(async () => {
      for (const opened of open.splice(0)) await opened.close();
    });

    async function begin(receiveCountMax = RECEIVE_COUNT_MAX): Promise<OpenQueue> {
      const opened = await platform.open({ clock, receiveCountMax });
      open.push(opened);
      return opened;
    }

    async function beginAlone(): Promise<Queue> {
      return (await begin()).queue;
    }

    it('gives a message as it was sent, once, until it is deleted', async () => {
      const queue = await beginAlone();
      const body = '{"text":"größer 🙂\\u0000"}\n\t';
      const before = clock.now();

      expect(await queue.send({ id: 'a', group: 'g', body })).toEqual({ duplicate: false });
      expect(await queue.counts()).toEqual({ waiting: 1, inFlight: 0, dead: 0 });
      const message = await one(queue);

      expect(message).toMatchObject({ id: 'a', group: 'g', body, receiveCount: 1 });
      expect(message.sentAt).toBeGreaterThanOrEqual(before);
      expect(await queue.counts()).toEqual({ waiting: 0, inFlight: 1, dead: 0 });
      expect(await received(queue)).toEqual([]);
      expect(await queue.delete(message.receipt)).toBe(true);
      clock.pass(VISIBILITY_MS);
      expect(await received(queue)).toEqual([]);
      expect(await queue.counts()).toEqual({ waiting: 0, inFlight: 0, dead: 0 });
    });

    it('gives a message again when its visibility ends, with a count one higher (QUEUE-2)', async () => {
      const queue = await beginAlone();
      await queue.send(messageOf('a'));
      const first = await one(queue);

      clock.pass(VISIBILITY_MS - LONG_MS);
      expect(await received(queue)).toEqual([]);
      clock.pass(LONG_MS);
      const second = await one(queue);

      expect(second).toEqual({ ...first, receipt: second.receipt, receiveCount: 2 });
    });

    it('hides a message for longer or gives it back, as its receiver says', async () => {
      const queue = await beginAlone();
      await queue.send(messageOf('a'));
      const first = await one(queue);

      expect(await queue.changeVisibility(first.receipt, 4 * VISIBILITY_MS)).toBe(true);
      clock.pass(2 * VISIBILITY_MS);
      expect(await received(queue)).toEqual([]);
      expect(await queue.changeVisibility(first.receipt, 0)).toBe(true);
      const second = await one(queue);

      expect(second.receiveCount).toBe(2);
      expect(await queue.delete(second.receipt)).toBe(true);
    });

    it('keeps the order of a group, one message at a time (QUEUE-3, QUEUE-4)', async () => {
      const queue = await beginAlone();
      for (const id of ['a', 'b', 'c']) await queue.send(messageOf(id));

      expect((await received(queue)).map(({ id }) => id)).toEqual(['a']);
      expect(await received(queue)).toEqual([]);
      clock.pass(VISIBILITY_MS);
      const again = await one(queue);
      expect(again).toMatchObject({ id: 'a', receiveCount: 2 });
      await queue.delete(again.receipt);
      const next = await one(queue);
      expect(next).toMatchObject({ id: 'b', receiveCount: 1 });
      await queue.changeVisibility(next.receipt, 0);
      expect((await received(queue)).map(({ id }) => id)).toEqual(['b']);
    });

    it('does not let groups wait for each other, and gives as many messages as are wanted (QUEUE-4)', async () => {
      const queue = await beginAlone();
      for (const group of ['g', 'h', 'i', 'j'])
        for (const number of [1, 2]) await queue.send({ id: `${group}${number}`, group, body: 'text' });

      const some = await received(queue, 3);
      const rest = await received(queue);

      expect(some).toHaveLength(3);
      expect([...some, ...rest].map(({ id }) => id).toSorted()).toEqual(['g1', 'h1', 'i1', 'j1']);
      await queue.delete(some[1]?.receipt ?? '');
      expect((await received(queue)).map(({ group }) => group)).toEqual([some[1]?.group]);
    });

    it('holds a delayed message back, and those of its group after it (QUEUE-3)', async () => {
      const queue = await beginAlone();
      await queue.send({ ...messageOf('a'), delayMs: 60_000 });
      await queue.send(messageOf('b'));
      await queue.send({ id: 'other', group: 'h', body: 'text' });

      expect((await received(queue)).map(({ id }) => id)).toEqual(['other']);
      clock.pass(60_000);
      const first = (await received(queue)).find(({ group }) => group === 'g');
      expect(first).toMatchObject({ id: 'a', receiveCount: 1 });
      await queue.delete(first?.receipt ?? '');
      expect((await received(queue)).map(({ id }) => id)).toEqual(['b']);
    });

    it('knows an id that was sent before, and forgets it after the window (QUEUE-5)', async () => {
      const queue = await beginAlone();
      const again = { ...messageOf('a'), body: 'another text' };
      await queue.send(messageOf('a'));
      expect(await queue.send(again)).toEqual({ duplicate: true });
      const message = await one(queue);
      expect(message.body).toBe('text of a');
      expect(await queue.send(again)).toEqual({ duplicate: true });
      await queue.delete(message.receipt);

      expect(await queue.send(again)).toEqual({ duplicate: true });
      expect(await received(queue)).toEqual([]);
      clock.pass(QUEUE_DEDUPE_MS);
      expect(await queue.send(again)).toEqual({ duplicate: false });

      expect(await one(queue)).toMatchObject({ body: 'another text', receiveCount: 1 });
      expect(await queue.delete(message.receipt)).toBe(false);
    });

    it.runIf(platform.knowsLonger)('knows an id as long as its message is there (QUEUE-5)', async () => {
      const queue = await beginAlone();
      await queue.send(messageOf('a'));
      clock.pass(2 * QUEUE_DEDUPE_MS);
      expect(await queue.send(messageOf('a'))).toEqual({ duplicate: true });
      await kill(queue);

      clock.pass(2 * QUEUE_DEDUPE_MS);

      expect(await queue.send(messageOf('a'))).toEqual({ duplicate: true });
      expect(await received(queue)).toEqual([]);
      expect(await queue.counts()).toEqual({ waiting: 0, inFlight: 0, dead: 1 });
    });

    it('takes one of many sends of the same id at the same time', async () => {
      const { queue, other = queue } = await begin();

      const sent = await Promise.all(
        Array.from({ length: 10 }, (_, at) => (at % 2 === 0 ? queue : other).send(messageOf('a'))),
      );

      expect(sent.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
      await queue.delete((await one(queue)).receipt);
      expect(await received(queue)).toEqual([]);
    });

    it('makes a message that was received too often a dead letter, which holds nobody up (QUEUE-6)', async () => {
      const queue = await beginAlone();
      await queue.send(messageOf('a'));
      await queue.send(messageOf('b'));
      const firstAt = clock.now();
      const { lastAt, last } = await exhaust(queue);
      expect(last.receiveCount).toBe(RECEIVE_COUNT_MAX);
      expect(await queue.deadLetters({ limit: 10 })).toEqual([]);

      clock.pass(VISIBILITY_MS);
      const next = await one(queue);

      expect(next).toMatchObject({ id: 'b', receiveCount: 1 });
      expect(await queue.counts()).toEqual({ waiting: 0, inFlight: 1, dead: 1 });
      const [dead, ...more] = await queue.deadLetters({ limit: 10 });
      expect(more).toEqual([]);
      expect(dead).toMatchObject({
        ...messageOf('a'),
        reason: 'received-too-often',
        receiveCount: RECEIVE_COUNT_MAX,
        sentAt: last.sentAt,
      });
      expect(dead?.firstReceivedAt).toBeGreaterThanOrEqual(firstAt);
      expect(dead?.firstReceivedAt).toBeLessThanOrEqual(lastAt - VISIBILITY_MS);
      expect(dead?.lastReceivedAt).toBeGreaterThanOrEqual(lastAt);
      expect(dead?.deadAt).toBeGreaterThanOrEqual(lastAt + VISIBILITY_MS);
      expect(await queue.delete(last.receipt)).toBe(false);
      expect(await queue.changeVisibility(last.receipt, 0)).toBe(false);
    });

    it('lists dead letters page by page, oldest death first', async () => {
      const queue = await beginAlone();
      const ids = ['c', 'a', 'b', 'e', 'd'];
      for (const id of ids) {
        await queue.send({ id, group: id, body: 'text' });
        await kill(queue);
      }

      const pages: DeadLetter[][] = [];
      for (let after: DeadLetter | undefined; ; after = pages.at(-1)?.at(-1)) {
        const page = await queue.deadLetters({ limit: 2, after });
        if (page.length === 0) break;
        pages.push([...page]);
      }

      expect(pages.map((page) => page.map(({ id }) => id))).toEqual([['c', 'a'], ['b', 'e'], ['d']]);
    });

    it('redrives dead letters to the end of their groups, with a count of 0 (QUEUE-3)', async () => {
      const queue = await beginAlone();
      for (const id of ['a', 'b', 'c']) {
        await queue.send(messageOf(id));
        await kill(queue);
      }
      await queue.send(messageOf('d'));

      expect(await queue.redrive(['b', 'unknown', 'd', 'a'])).toBe(2);
      expect(await queue.redrive(['b'])).toBe(0);
      expect(await queue.counts()).toEqual({ waiting: 3, inFlight: 0, dead: 1 });

      for (const id of ['d', 'b', 'a']) {
        const message = await one(queue);
        expect(message).toMatchObject({ ...messageOf(id), receiveCount: 1 });
        await queue.delete(message.receipt);
      }
      expect(await received(queue)).toEqual([]);
      expect((await queue.deadLetters({ limit: 10 })).map(({ id }) => id)).toEqual(['c']);
    });

    it('lets a redriven message die again', async () => {
      const queue = await beginAlone();
      await queue.send(messageOf('a'));
      await kill(queue);
      await queue.redrive(['a']);

      await kill(queue);

      expect(await queue.counts()).toEqual({ waiting: 0, inFlight: 0, dead: 1 });
      expect(await queue.deadLetters({ limit: 10 })).toMatchObject([
        { id: 'a', receiveCount: RECEIVE_COUNT_MAX },
      ]);
    });

    it('lets nobody act on a receipt that is not current (QUEUE-7)', async () => {
      const queue = await beginAlone();
      await queue.send(messageOf('a'));
      const stale = await one(queue);
      clock.pass(VISIBILITY_MS);
      const current = await one(queue);

      expect(await queue.delete(stale.receipt)).toBe(false);
      expect(await queue.changeVisibility(stale.receipt, 0)).toBe(false);
      expect(await queue.delete('never given')).toBe(false);
      expect(await queue.changeVisibility('never given', 0)).toBe(false);
      expect(await received(queue)).toEqual([]);
      expect(await queue.delete(current.receipt)).toBe(true);
      expect(await queue.delete(current.receipt)).toBe(true);
      expect(await queue.changeVisibility(current.receipt, 0)).toBe(false);
      expect(await received(queue)).toEqual([]);
    });

    it('ends a long poll at once when a message is sent, let go or redriven in this process', async () => {
      const queue = await beginAlone();
      const waiting = () => queue.receive({ max: 1, visibilityMs: VISIBILITY_MS, waitMs: LONG_MS });
      const startedAt = Date.now();

      const first = waiting();
      await queue.send(messageOf('a'));
      const [message] = await first;
      expect(message?.id).toBe('a');
      const second = waiting();
      await queue.changeVisibility(message?.receipt ?? '', 0);
      expect(await second).toMatchObject([{ id: 'a', receiveCount: 2 }]);

      expect(Date.now() - startedAt).toBeLessThan(LONG_MS / 2);
    });

    it('ends a long poll when something is due by time, without a hint', async () => {
      const queue = await beginAlone();
      await queue.send({ ...messageOf('a'), delayMs: 300 });
      const startedAt = Date.now();

      const found = await queue.receive({ max: 1, visibilityMs: VISIBILITY_MS, waitMs: LONG_MS });

      expect(found).toMatchObject([{ id: 'a' }]);
      expect(Date.now() - startedAt).toBeLessThan(LONG_MS / 2);
    });

    it('ends a long poll by its signal, and when the time is over', async () => {
      const queue = await beginAlone();
      const controller = new AbortController();
      const { signal } = controller;
      const startedAt = Date.now();

      const polls = [1, 2].map(() => queue.receive({ max: 1, visibilityMs: 1, waitMs: LONG_MS, signal }));
      expect(await queue.receive({ max: 1, visibilityMs: 1, waitMs: 50 })).toEqual([]);
      controller.abort();

      expect(await Promise.all(polls)).toEqual([[], []]);
      expect(await queue.receive({ max: 1, visibilityMs: 1, waitMs: LONG_MS, signal })).toEqual([]);
      expect(Date.now() - startedAt).toBeLessThan(LONG_MS / 2);
    });

    it('takes everything up to its bounds and refuses what is beyond, with nothing changed', async () => {
      const queue = await beginAlone();
      const name = '~'.repeat(QUEUE_NAME_CHARS_MAX);
      const body = 'ü'.repeat(QUEUE_BODY_BYTES_MAX / 2);
      await queue.send({ id: name, group: name, body });
      expect(await one(queue)).toMatchObject({ id: name, group: name, body });

      const refused: readonly (readonly [field: string, call: () => Promise<unknown>])[] = [
        ['id', () => queue.send({ ...messageOf('a'), id: `${name}~` })],
        ['id', () => queue.send({ ...messageOf('a'), id: 'a b' })],
        ['group', () => queue.send({ ...messageOf('a'), group: '' })],
        ['group', () => queue.send({ ...messageOf('a'), group: 'größe' })],
        ['body', () => queue.send({ ...messageOf('a'), body: `${body}ü` })],
        ['body', () => queue.send({ ...messageOf('a'), body: '' })],
        ['body', () => queue.send({ ...messageOf('a'), body: 'a\u0000b' })],
        ['body', () => queue.send({ ...messageOf('a'), body: 'half a pair: \uD83D' })],
        ['delayMs', () => queue.send({ ...messageOf('a'), delayMs: QUEUE_DELAY_MS_MAX + 1 })],
        ['delayMs', () => queue.send({ ...messageOf('a'), delayMs: -1 })],
        ['max', () => queue.receive({ max: 0, visibilityMs: 1 })],
        ['max', () => queue.receive({ max: QUEUE_RECEIVE_MAX + 1, visibilityMs: 1 })],
        ['visibilityMs', () => queue.receive({ max: 1, visibilityMs: 0 })],
        ['visibilityMs', () => queue.receive({ max: 1, visibilityMs: QUEUE_VISIBILITY_MS_MAX + 1 })],
        ['waitMs', () => queue.receive({ max: 1, visibilityMs: 1, waitMs: QUEUE_WAIT_MS_MAX + 1 })],
        ['visibilityMs', () => queue.changeVisibility('any', -1)],
        ['visibilityMs', () => queue.changeVisibility('any', 0.5)],
        ['limit', () => queue.deadLetters({ limit: QUEUE_PAGE_MAX + 1 })],
        ['ids', () => queue.redrive(Array.from({ length: QUEUE_PAGE_MAX + 1 }, () => 'a'))],
      ];
      for (const [field, call] of refused) {
        const error = await call().catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(InvalidInput);
        expect(error).toMatchObject({ field });
      }
      expect(await queue.counts()).toEqual({ waiting: 0, inFlight: 1, dead: 0 });
    });

    it.runIf(platform.lasting)('is there after a restart: waiting, in flight, dead and known', async () => {
      const first = await begin();
      await first.queue.send({ id: 'dead', group: 'd', body: 'text' });
      await kill(first.queue);
      for (const id of ['gone', 'held', 'next']) await first.queue.send(messageOf(id));
      await first.queue.delete((await one(first.queue)).receipt);
      const held = await one(first.queue);

      open.pop();
      const again = await first.reopen?.();
      open.push(again as OpenQueue); // it is lasting
      const queue = (again as OpenQueue).queue; // it is lasting

      expect(await queue.counts()).toEqual({ waiting: 1, inFlight: 1, dead: 1 });
      expect(await received(queue)).toEqual([]);
      expect(await queue.send(messageOf('gone'))).toEqual({ duplicate: true });
      expect(await queue.delete(held.receipt)).toBe(true);
      expect((await received(queue)).map(({ id }) => id)).toEqual(['next']);
      expect(await queue.redrive(['dead'])).toBe(1);
    });

    it(
      'hands every message of a load out in order and to one at a time, whoever dies',
      async () => {
        const { queue, other = queue } = await begin(1_000);
        const random = randomOf(Date.now() % 1_000_000);

        const load = platform.load ?? LOAD;
        const report = await loadQueue({
          ...load,
          queues: [queue, other],
          random,
          receivers: 4,
          crashes: 10,
        });

        expect(report.violations, `seed ${random.seed}`).toEqual([]);
        expect(report.crashed, `seed ${random.seed}`).toBeGreaterThan(0);
        expect(report.received).toBeGreaterThanOrEqual(load.groups * load.messagesEach + report.crashed);
        expect(await queue.counts()).toEqual({ waiting: 0, inFlight: 0, dead: 0 });
      },
      LOAD_MS_MAX,
    );

    /** Receives the one message that may be received until it has been received as often as it may. */
    async function exhaust(
      queue: Queue,
    ): Promise<{ readonly lastAt: number; readonly last: ReceivedMessage }> {
      for (;;) {
        const lastAt = clock.now();
        const last = await one(queue);
        if (last.receiveCount === RECEIVE_COUNT_MAX) return { lastAt, last };
        clock.pass(VISIBILITY_MS);
      }
    }

    async function kill(queue: Queue): Promise<void> {
      await exhaust(queue);
      clock.pass(VISIBILITY_MS);
      expect(await received(queue)).toEqual([]);
    }
  });
}

function messageOf(id: string): QueueMessage {
  return { id, group: 'g', body: `text of ${id}` };
}

function received(queue: Queue, max: number = QUEUE_RECEIVE_MAX): Promise<readonly ReceivedMessage[]> {
  return queue.receive({ max, visibilityMs: VISIBILITY_MS });
}

async function one(queue: Queue): Promise<ReceivedMessage> {
  const messages = await received(queue);
  expect(messages).toHaveLength(1);
  return messages[0] as ReceivedMessage; // there is one
}
