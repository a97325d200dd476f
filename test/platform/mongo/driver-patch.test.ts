/** A connection that closes while a command is written to it: the command fails or is done again, and the pool goes on (proves WRITE-1). */
import { Socket } from 'node:net';
import { type Collection, type Document, MongoError, MongoNetworkError } from 'mongodb';
import { afterEach, expect, it, vi } from 'vitest';
import { newId } from '../../../src/kernel/id.ts';
import { MongoDatabase } from '../../../src/platform/mongo/database.ts';
import { LiveChannel } from '../../../src/platform/mongo/live/live-channel.ts';
import { eventually } from '../../support/eventually.ts';
import { mongoSuite } from '../../support/mongo-suite.ts';
import { TcpProxy } from '../../support/tcp-proxy.ts';

/** Of a message: header, flags, kind of the section, length of the document, type of its first element. */
const NAME_AT = 16 + 4 + 1 + 4 + 1;
const OP_QUERY = 2_004;
/** The tests do not wait as long for a server that is away as a user does. */
const SOON = '&serverSelectionTimeoutMS=1000&connectTimeoutMS=500&heartbeatFrequencyMS=500';
/** Neither the socket's own buffer nor the kernel's at both ends of two connections hold it. */
const LARGE_BYTES = 15 * 1024 * 1024;

interface Item extends Document {
  readonly _id: string;
}

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const close of closing.splice(0).toReversed()) await close();
});

/** One connection for commands: one that is never given back is missed at once. */
async function open(uri: string, more = ''): Promise<MongoDatabase> {
  const options = `maxPoolSize=1${more}`;
  const database = await MongoDatabase.open({ uri: `${uri}${uri.includes('?') ? '&' : '?'}${options}` });
  closing.push(() => database.close());
  return database;
}

/**
 * Closes, once per kind, the connection of the next such message just before it is written, so that the driver learns of it after the
 * write: as when the peer has closed it and the event is still on its way. Answers the kinds that it has not met yet.
 */
function closeUnderNext(...kinds: ((message: Buffer) => boolean)[]): Set<unknown> {
  const awaited = new Set(kinds);
  const { write } = Socket.prototype;
  vi.spyOn(Socket.prototype, 'write').mockImplementation(function (this: Socket, ...written: unknown[]) {
    const [message] = written;
    const met = Buffer.isBuffer(message)
      ? kinds.find((isIt) => awaited.has(isIt) && isIt(message))
      : undefined;
    if (met !== undefined && awaited.delete(met)) this.destroy();
    return Reflect.apply(write, this, written);
  });
  return awaited;
}

function named(command: string): (message: Buffer) => boolean {
  return (message) => message.toString('latin1', NAME_AT, NAME_AT + command.length + 1) === `${command}\0`;
}

// proves WRITE-1
await mongoSuite('a connection closes as', (server) => {
  it.each([
    ['find', (items: Collection<Item>) => items.findOne({ _id: 'a' })],
    ['insert', (items: Collection<Item>) => items.insertOne({ _id: 'b' })],
    ['update', (items: Collection<Item>) => items.updateOne({ _id: 'a' }, { $set: { x: 1 } })],
    ['aggregate', (items: Collection<Item>) => items.aggregate([]).toArray()],
  ] as const)('%s is written, which the driver does again, once', async (command, work) => {
    const { db } = await open(server.uri());
    const items = db.collection<Item>('item');
    await items.insertOne({ _id: 'a' });
    const unmet = closeUnderNext(named(command));

    await work(items);

    expect(unmet.size).toBe(0);
    expect(await items.countDocuments()).toBe(command === 'insert' ? 2 : 1);
  });

  it('getMore is written, which fails; its connection is given back', async () => {
    const { db } = await open(server.uri());
    const items = db.collection<Item>('item');
    await items.insertMany(['a', 'b', 'c', 'd', 'e'].map((_id) => ({ _id })));
    const unmet = closeUnderNext(named('getMore'));

    await expect(items.find({}, { batchSize: 2 }).toArray()).rejects.toBeInstanceOf(MongoNetworkError);

    expect(unmet.size).toBe(0);
    expect(await items.countDocuments()).toBe(5);
  });

  it('killCursors is written; the cursor is closed and its connection given back', async () => {
    const { db } = await open(server.uri());
    const items = db.collection<Item>('item');
    await items.insertMany(['a', 'b', 'c'].map((_id) => ({ _id })));
    const cursor = items.find({}, { batchSize: 2 });
    await cursor.next();
    const unmet = closeUnderNext(named('killCursors'));

    await cursor.close();

    expect(unmet.size).toBe(0);
    expect(await items.countDocuments()).toBe(3);
  });

  it('the greeting of a new one is written; another one is made', async () => {
    const { db } = await open(server.uri());
    const greeting = (message: Buffer): boolean => message.readInt32LE(12) === OP_QUERY;
    const unmet = closeUnderNext(named('find'), greeting);

    await eventually('it is answered', async () => (await db.collection('item').findOne()) === null);

    expect(unmet.size).toBe(0);
  });

  it.each(['getMore', 'aggregate'])('the live channel writes %s; it hears on', async (command) => {
    const uri = server.uri();
    const hear = async (): Promise<LiveChannel> => {
      const database = await MongoDatabase.open({ uri });
      closing.push(() => database.close());
      const channel = new LiveChannel({ database });
      closing.push(() => channel.close());
      return channel;
    };
    const unmet = closeUnderNext(named(command));
    const heard: number[] = [];
    (await hear()).onHint(({ head }) => heard.push(head));
    await eventually('its connection was closed', () => unmet.size === 0);
    const teller = await hear();
    const sessionId = newId('session');

    await eventually('a hint is heard', () => {
      teller.hint(sessionId, 1); // again, since it may be lost
      return heard.length > 0;
    });
  });
});

// proves WRITE-1
await mongoSuite('a command that its connection takes no more of', (server) => {
  /** Fills the connection, which the server does not read from, and waits for room. */
  async function filling(more = '') {
    const proxy = await TcpProxy.open(server.base);
    closing.push(() => proxy.close());
    const database = await open(proxy.through(server.uri()), `${SOON}${more}`);
    const items = database.db.collection<Item>('item');
    await items.insertOne({ _id: 'small' });
    const write = vi.spyOn(Socket.prototype, 'write');
    proxy.stall();
    const outcome = items
      .insertOne({ _id: 'large', bytes: Buffer.alloc(LARGE_BYTES) })
      .catch((error: unknown) => error);
    await eventually('it waits for room', () =>
      write.mock.results.some(({ value }, index) => {
        const [message] = write.mock.calls[index] ?? [];
        return value === false && Buffer.isBuffer(message) && message.length > LARGE_BYTES;
      }),
    );
    return { proxy, database, items, outcome };
  }

  it('fails when its connection is taken for dead, and the next one succeeds', async () => {
    const { proxy, items, outcome } = await filling('&socketTimeoutMS=500');

    expect(await outcome).toBeInstanceOf(MongoError);

    proxy.cut();
    proxy.flow();
    await eventually('another one is answered', async () => (await items.findOne({ _id: 'small' })) !== null);
  });

  it('fails when the database is closed', async () => {
    const { database, outcome } = await filling();

    await database.close();

    expect(await outcome).toBeInstanceOf(MongoError);
  });
});
