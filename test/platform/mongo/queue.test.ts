/** The queue on MongoDB keeps the port's contract, also where only several processes and their deaths bring it about. */
import { expect, it } from 'vitest';
import type { Collection, Db } from 'mongodb';
import { MongoDatabase } from '../../../src/platform/mongo/database.ts';
import { Outage } from '../../../src/kernel/outage.ts';
import { MongoQueue } from '../../../src/platform/mongo/queue/queue.ts';
import type { Queue } from '../../../src/webhooks/queue.ts';
import { type QueuePlatform, queueContract } from '../../contracts/queue.ts';
import { DriverWatch, watchedUri } from '../../support/driver-watch.ts';
import { mongoSuite } from '../../support/mongo-suite.ts';
import { loadQueue } from '../../support/queue-load.ts';
import { randomOf } from '../../support/random.ts';
import { ShiftedClock } from '../../support/shifted-clock.ts';

const VISIBILITY_MS = 30_000;
/** Two deaths and starts of the server, on a busy machine. */
const DEATHS_MS_MAX = 240_000;
/** queue-groups.ts: when a sender is taken for dead. */
const SEND_GRACE_MS = 5_000;

await mongoSuite('the queue on MongoDB', (server) => {
  const open: QueuePlatform['open'] = (options) => openTwo(server.uri(), options);
  // The last rung of the ladder is written in Python: a tenth of the load says the same there.
  const load = server.isMongod ? undefined : { groups: 10, messagesEach: 10 };
  queueContract({ name: 'mongo', lasting: true, knowsLonger: true, load, open });

  it('wakes a receiver of another process by its polls', async () => {
    const { queue, other, close } = await openTwo(server.uri());
    const waiting = other.receive({ max: 1, visibilityMs: VISIBILITY_MS, waitMs: 10_000 });
    await queue.send({ id: 'a', group: 'g', body: 'text' });

    expect(await waiting).toMatchObject([{ id: 'a' }]);
    await close();
  });

  it('only reads while there is nothing to receive', async () => {
    const { queue, database, close } = await openTwo(watchedUri(server.uri()));
    await queue.receive({ max: 1, visibilityMs: VISIBILITY_MS }); // sweeps, now and then

    const watch = new DriverWatch(database.client);
    const asked = await watch.during(() => queue.receive({ max: 10, visibilityMs: VISIBILITY_MS }));

    expect(asked.map(({ name, collection }) => `${name} ${collection}`)).toEqual(['find queue_group']);
    await close();
  });

  it('passes over the place of a sender that died before it wrote its message', async () => {
    const { queue, database, close } = await openTwo(server.uri());
    await queue.send({ id: 'a', group: 'g', body: 'text' });
    await dying(database, 'insertOne')
      .send({ id: 'lost', group: 'g', body: 'text' })
      .catch(() => undefined);
    await queue.send({ id: 'b', group: 'g', body: 'text' });

    expect(await drained(queue)).toEqual(['a', 'b']);
    await close();
  });

  it('gives what a sender wrote that died before it said so: when it is sent again, or after a while', async () => {
    const clock = new ShiftedClock();
    const { queue, database, close } = await openTwo(server.uri(), { clock });
    const afterInsert = dying(database, 'findOneAndUpdate', { group: 2, clock });
    await expect(afterInsert.send({ id: 'a', group: 'g', body: 'text' })).rejects.toThrow('died');
    expect(await drained(queue)).toEqual([]);

    expect(await queue.send({ id: 'a', group: 'g', body: 'text' })).toEqual({ duplicate: true });
    expect(await drained(queue)).toEqual(['a']);

    const alike = dying(database, 'findOneAndUpdate', { group: 2, clock });
    await expect(alike.send({ id: 'b', group: 'h', body: 'text' })).rejects.toThrow('died');
    clock.pass(SEND_GRACE_MS);
    expect(await drained(queue)).toEqual(['b']);
    await close();
  });

  it('gives a message that landed behind a later one, next', async () => {
    const { queue, database, close } = await openTwo(server.uri());
    const gate = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    const slow = intercepted(database, 'queue_message', 'insertOne', async () => {
      reached.resolve();
      await gate.promise;
    });
    const sending = slow.send({ id: 'slow', group: 'g', body: 'text' });
    await reached.promise;
    for (const id of ['a', 'b']) await queue.send({ id, group: 'g', body: 'text' });
    const [first] = await queue.receive({ max: 1, visibilityMs: VISIBILITY_MS });
    expect(first?.id).toBe('a');

    gate.resolve();
    await sending;

    expect(await queue.receive({ max: 1, visibilityMs: VISIBILITY_MS })).toEqual([]);
    await queue.delete(first?.receipt ?? '');
    expect(await drained(queue)).toEqual(['slow', 'b']);
    await close();
  });

  it('gives nothing to a receiver that slept between its claim and its message', async () => {
    const clock = new ShiftedClock();
    const { queue, database, close } = await openTwo(server.uri(), { clock });
    const gate = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    const sleepy = intercepted(
      database,
      'queue_message',
      'findOneAndUpdate',
      async () => {
        reached.resolve();
        await gate.promise;
      },
      clock,
    );
    for (const id of ['a', 'b']) await queue.send({ id, group: 'g', body: 'text' });
    const late = sleepy.receive({ max: 1, visibilityMs: VISIBILITY_MS });
    await reached.promise;
    clock.pass(VISIBILITY_MS);
    const [current] = await queue.receive({ max: 1, visibilityMs: VISIBILITY_MS });
    expect(current).toMatchObject({ id: 'a', receiveCount: 1 });

    gate.resolve();

    expect(await late).toEqual([]);
    expect(await queue.delete(current?.receipt ?? '')).toBe(true);
    expect(await drained(queue)).toEqual(['b']);
    await close();
  });

  it('forgets deleted messages and empty groups, and keeps what has something in it', async () => {
    const clock = new ShiftedClock();
    const { queue, database, close } = await openTwo(server.uri(), { clock });
    for (const group of ['g', 'h']) await queue.send({ id: group, group, body: 'text' });
    await drained(queue);
    await queue.send({ id: 'waits', group: 'i', body: 'text', delayMs: 600_000 });

    clock.pass(2 * 86_400_000);
    await queue.receive({ max: 10, visibilityMs: VISIBILITY_MS });

    const ids = async (name: string) =>
      (await database.db.collection(name).find().toArray()).map(({ _id }) => _id);
    expect(await ids('queue_message')).toEqual(['waits']);
    expect(await ids('queue_group')).toEqual(['i']);
    await close();
  });
});

await mongoSuite(
  'the queue while the server dies',
  (server) => {
    it(
      'loses nothing that was acknowledged, and keeps its order (QUEUE-1)',
      async () => {
        const random = randomOf(Date.now() % 1_000_000);
        const { queue, other, close } = await openTwo(server.uri());
        const deaths: Promise<void>[] = [];
        const restart = async () => {
          await server.kill();
          await server.start();
        };

        const report = await loadQueue({
          queues: [queue, other],
          random,
          groups: 10,
          messagesEach: 10,
          receivers: 4,
          crashes: 2,
          forgives: (error) => error instanceof Outage,
          onDeleted(deleted) {
            if (deleted === 20 || deleted === 60) deaths.push(restart());
          },
        });
        await Promise.all(deaths);

        expect(deaths).toHaveLength(2);
        expect(report.violations, `seed ${random.seed}`).toEqual([]);
        expect(await queue.counts()).toEqual({ waiting: 0, inFlight: 0, dead: 0 });
        await close();
      },
      DEATHS_MS_MAX,
    );
  },
  { own: true },
);

interface Two {
  readonly queue: MongoQueue;
  readonly other: MongoQueue;
  readonly database: MongoDatabase;
  close(): Promise<void>;
  reopen(): Promise<Two>;
}

/** As two processes would have it: a client each. */
async function openTwo(
  uri: string,
  options:
    | { readonly clock?: ShiftedClock; readonly receiveCountMax?: number }
    | Parameters<QueuePlatform['open']>[0] = {
    receiveCountMax: 1_000,
  },
): Promise<Two> {
  const database = await MongoDatabase.open({ uri });
  const second = await MongoDatabase.open({ uri });
  const close = async () => {
    await database.close();
    await second.close();
  };
  return {
    queue: new MongoQueue({ database, ...options }),
    other: new MongoQueue({ database: second, ...options }),
    database,
    close,
    async reopen() {
      await close();
      return openTwo(uri, options);
    },
  };
}

/** A queue whose process dies before its write of that name to the messages; or before its nth to the groups. */
function dying(
  database: MongoDatabase,
  method: 'insertOne' | 'findOneAndUpdate',
  { group, clock }: { readonly group?: number; readonly clock?: ShiftedClock } = {},
): Queue {
  let calls = 0;
  const before = async () => {
    calls += 1;
    if (calls === (group ?? 1)) throw new Error('died');
  };
  return intercepted(database, group === undefined ? 'queue_message' : 'queue_group', method, before, clock);
}

/** A queue that does something before one kind of its calls. */
function intercepted(
  database: MongoDatabase,
  name: string,
  method: 'insertOne' | 'findOneAndUpdate',
  before: () => Promise<void>,
  clock?: ShiftedClock,
): Queue {
  const collection = (asked: string): Collection => {
    const real = database.db.collection(asked);
    if (asked !== name) return real;
    const call = async (...given: readonly unknown[]) => {
      await before();
      return Reflect.apply(real[method], real, given);
    };
    return new Proxy(real, {
      get: (target, property) => (property === method ? call : Reflect.get(target, property, target)),
    });
  };
  // The queue asks a database for nothing but its collections.
  const db = { collection } as unknown as Db;
  return new MongoQueue({ database: { db }, clock });
}

async function drained(queue: Queue): Promise<readonly string[]> {
  const ids: string[] = [];
  for (;;) {
    const messages = await queue.receive({ max: 1, visibilityMs: VISIBILITY_MS });
    if (messages.length === 0) return ids;
    for (const { id, receipt } of messages) {
      ids.push(id);
      await queue.delete(receipt);
    }
  }
}
