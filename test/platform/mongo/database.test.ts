/** Opening a MongoDB database: together, over crashes, and the refusals, each with its sentence and with nothing written. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { inspect, promisify } from 'node:util';
import {
  type Collection,
  type Db,
  type Document,
  GridFSBucket,
  Long,
  MongoClient,
  MongoNetworkTimeoutError,
  ObjectId,
} from 'mongodb';
import { afterEach, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../../src/kernel/clock.ts';
import { jsonLogger, silentLogger } from '../../../src/kernel/logger.ts';
import { MongoDatabase, type MongoDatabaseOptions } from '../../../src/platform/mongo/database.ts';
import { DatabaseUnusable } from '../../../src/platform/mongo/faults.ts';
import { STEPS, type Step } from '../../../src/platform/mongo/migrations.ts';
import { migrate } from '../../../src/platform/mongo/schema.ts';
import { eventually } from '../../support/eventually.ts';
import { type Answer, mongoDouble } from '../../support/mongo-double.ts';
import { mongoSuite } from '../../support/mongo-suite.ts';

const PRIMARY = { setName: 'rs0', isWritablePrimary: true };
const USER = 'someuser7';
const PASSWORD = 'hunter2secret';
/** The tests of refusals do not wait as long as a user does. */
const SOON = 'serverSelectionTimeoutMS=400&connectTimeoutMS=200';
const run = promisify(execFile);

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function open(options: MongoDatabaseOptions): Promise<MongoDatabase> {
  const database = await MongoDatabase.open(options);
  closing.push(() => database.close());
  return database;
}

/** Opens, which must be refused, and gives the sentence; no secret in anything that can be printed. */
async function refusal(uri: string, steps?: readonly Step[]): Promise<string> {
  const lines: string[] = [];
  const logger = jsonLogger('debug', (line) => lines.push(line));
  const refused: unknown = await open({ uri, logger, steps }).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(DatabaseUnusable);
  logger.error('refused', { error: refused });
  const printed = `${inspect(refused, { depth: 9 })}${lines.join('')}`;
  expect(printed).not.toContain(PASSWORD);
  expect(printed).not.toContain(USER);
  return (refused as DatabaseUnusable).message; // checked above
}

async function double(hello: Document, answer?: Answer) {
  const server = await mongoDouble(hello, answer);
  closing.push(() => server.close());
  return server;
}

describe('opening a MongoDB database is refused', () => {
  it('when nothing answers at the address', async () => {
    expect(await refusal(`mongodb://${USER}:${PASSWORD}@127.0.0.1:1/x?${SOON}`)).toBe(
      'No MongoDB server answers at mongodb://127.0.0.1:1/x (connect ECONNREFUSED 127.0.0.1:1). ' +
        'Check that the server runs, and host and port in DATABASE_URL.',
    );
  });

  it('when what accepts the connection never says anything', async () => {
    const silent = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    closing.push(async () => silent.close());
    const address = silent.address();
    const port = typeof address === 'object' ? address?.port : 0;

    expect(await refusal(`mongodb://127.0.0.1:${port}/x?${SOON}`)).toMatch(
      /^No MongoDB server answers at .*timed out/,
    );
  });

  it('when what answers is no MongoDB server, or one that wants TLS', async () => {
    const other = createServer((socket) => socket.on('error', () => undefined).destroy());
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    closing.push(async () => other.close());
    const address = other.address();
    const port = typeof address === 'object' ? address?.port : 0;

    expect(await refusal(`mongodb://127.0.0.1:${port}/x?${SOON}`)).toMatch(
      /closes the connection.*needs tls=true/,
    );
  });

  it('when the host has no name in DNS', async () => {
    expect(await refusal(`mongodb://${USER}:${PASSWORD}@nohost.invalid/x?${SOON}`)).toMatch(
      /^No MongoDB server answers at mongodb:\/\/nohost.invalid:27017\/x \(getaddrinfo/,
    );
    expect(await refusal(`mongodb+srv://${USER}:${PASSWORD}@nohost.invalid/x?${SOON}`)).toMatch(
      /^mongodb\+srv:\/\/nohost.invalid\/x cannot be opened \(query.*check the host in DATABASE_URL/,
    );
  });

  it('when the server does not speak TLS, or the certificate file is not there', async () => {
    const server = await double(PRIMARY);

    expect(await refusal(`mongodb://${server.host}/x?tls=true&${SOON}`)).toMatch(/do not agree on TLS/);
    expect(await refusal(`mongodb://${server.host}/x?tls=true&tlsCAFile=/not/there&${SOON}`)).toMatch(
      /cannot be opened \(ENOENT.*Check DATABASE_URL and the files that it names/,
    );
  });

  // proves MONGO-1 and MONGO-2
  it.each([
    ['a standalone server', {}, {}, /is a standalone server; Holdfast needs a replica set/],
    [
      'a server before 7.0',
      PRIMARY,
      { buildinfo: { version: '6.0.12' } },
      /is MongoDB 6\.0\.12; .*7\.0 or newer/,
    ],
    ['a server that the driver is too new for', { ...PRIMARY, maxWireVersion: 6 }, {}, /too old .*MongoDB/],
    [
      'a set without primary',
      { setName: 'rs0', isWritablePrimary: false, secondary: true },
      {},
      /has no primary/,
    ],
    [
      'a user who may not read it',
      PRIMARY,
      { find: { code: 13, codeName: 'Unauthorized' } },
      /role readWrite/,
    ],
    [
      'a full disk',
      PRIMARY,
      { insert: { code: 14_031, codeName: 'OutOfDiskSpace' } },
      /disk of the database is full/,
    ],
    [
      'a full disk by its other name',
      PRIMARY,
      { insert: { code: 8, errmsg: '28: No space left on device' } },
      /is full/,
    ],
  ] as const)('by %s, with nothing written', async (_what, hello, answers, sentence) => {
    const failing: Readonly<Record<string, Document>> = answers;
    const server = await double({ isWritablePrimary: true, ...hello }, (command) => {
      const given = failing[command.toLowerCase()];
      if (given === undefined) return undefined;
      return 'code' in given ? { ok: 0, errmsg: 'refused', ...given } : { ok: 1, ...given };
    });

    expect(await refusal(`mongodb://${server.host}/x?${SOON}`)).toMatch(sentence);
    const asked = ['hello', 'buildInfo', 'find', 'listCollections', 'insert']; // the insert that was refused
    expect(asked).toEqual(expect.arrayContaining([...server.commands]));
  });

  it.each([18, 11, 8_000])('to a user or password that the server does not know (code %i)', async (code) => {
    const server = await double(PRIMARY, (command) =>
      command === 'saslStart' ? { ok: 0, code, errmsg: 'Authentication failed.' } : undefined,
    );

    expect(await refusal(`mongodb://${USER}:${PASSWORD}@${server.host}/x?${SOON}`)).toMatch(
      /refuses the user or password of DATABASE_URL/,
    );
  });

  it('by a member that is not the primary, when the URI asks for that one member', async () => {
    const server = await double({ setName: 'rs0', isWritablePrimary: false, secondary: true });

    expect(await refusal(`mongodb://${server.host}/x?directConnection=true&${SOON}`)).toMatch(
      /directConnection/,
    );
  });

  it('and holds no connection (MONGO-2)', async () => {
    const server = await double({ isWritablePrimary: true });

    expect(await refusal(`mongodb://${server.host}/x?${SOON}`)).toMatch(/is a standalone server/);
    await eventually('it has let go', () => server.connections() === 0);
  });

  it('by a set of another name', async () => {
    const server = await double(PRIMARY);

    expect(await refusal(`mongodb://${server.host}/x?replicaSet=rs9&${SOON}`)).toMatch(
      /is not in a replica set called "rs9"/,
    );
  });

  // proves MONGO-4
  it.each([
    `mongodb://${USER}:${PASSWORD}%@127.0.0.1/x`,
    `mongodb://${USER}:a@${PASSWORD}@127.0.0.1/x`,
    `mongodb://${USER}:${PASSWORD}/more@127.0.0.1/x`,
    `mongodb://${USER}:${PASSWORD}@/x`,
    `mongodb://${USER}:${PASSWORD}@127.0.0.1:99999/x`,
    `mongodb://${USER}:${PASSWORD}@127.0.0.1/x?nonsense=1`,
    `mongodb://${USER}:${PASSWORD}@127.0.0.1/x?tls=maybe`,
    `postgres://${USER}:${PASSWORD}@127.0.0.1/x`,
  ])('when the URI cannot be read, without its password in the sentence: %s', async (uri) => {
    expect(await refusal(uri)).toMatch(/^DATABASE_URL is not a URI that the MongoDB driver takes/);
  });
});

describe('a MongoDB URI', () => {
  it.each([
    ['', 'holdfast'],
    ['/', 'holdfast'],
    ['/?retryWrites=true', 'holdfast'],
    ['/test', 'test'],
    ['/sessions', 'sessions'],
  ])('with "%s" after the host means the database %s', async (path, name) => {
    const server = await double({ isWritablePrimary: true });

    expect(await refusal(`mongodb://${server.host}${path}`)).toContain(`mongodb://${server.host}/${name} is`);
  });
});

describe('a MongoDB database at the newest version', () => {
  const firstBatch = [{ _id: 'schema', version: STEPS.length }];
  const found = { cursor: { id: Long.ZERO, ns: 'x.holdfast', firstBatch }, ok: 1 };

  it('is known to be by one read (SCHEMA-5), and by another whose its documents are that do not say it', async () => {
    const server = await double(PRIMARY, (command) => (command === 'find' ? found : undefined));

    await open({ uri: `mongodb://${server.host}/x?${SOON}` });

    expect(server.commands).toEqual(['buildInfo', 'find', 'find']);
  });

  // proves MONGO-3
  it.each(['readConcernLevel=local', 'journal=false', 'w=1', 'readPreference=secondary'])(
    'is written to a majority with its journal, and read from one, although the URI says %s',
    async (option) => {
      const asked: Document[] = [];
      const server = await double(PRIMARY, (command, document) => {
        asked.push(document);
        return command === 'find' ? found : undefined;
      });
      const { db } = await open({ uri: `mongodb://${server.host}/x?${SOON}&${option}` });
      const bucket = new GridFSBucket(db);

      await db.collection('one').insertOne({});
      await db.collection('one').findOne();
      await bucket.delete(new ObjectId());
      await bucket.find().toArray();

      const writes = asked.filter((command) => 'insert' in command || 'delete' in command);
      const reads = asked.filter((command) => 'find' in command);
      expect(writes.map(({ writeConcern }) => writeConcern)).toEqual(
        Array.from({ length: 3 }, () => ({ w: 'majority', j: true, wtimeout: 10_000 })),
      );
      expect(reads.map(({ readConcern }) => readConcern)).toEqual(
        Array.from({ length: 4 }, () => ({ level: 'majority' })),
      );
      expect(db.readPreference?.mode).toBe('primary');
    },
  );

  it('waits for a majority as long as the URI says', async () => {
    const server = await double(PRIMARY, (command) => (command === 'find' ? found : undefined));

    const { db } = await open({ uri: `mongodb://${server.host}/x?${SOON}&wtimeoutMS=500` });

    expect(db.writeConcern).toMatchObject({ w: 'majority', journal: true, wtimeoutMS: 500 });
  });
});

await mongoSuite('a MongoDB database', (server) => {
  /** A client beside the adapter, to look and to prepare. */
  async function beside(uri: string) {
    const client = await new MongoClient(uri).connect();
    closing.push(() => client.close());
    return client.db();
  }
  const schema = async (uri: string) =>
    (await beside(uri)).collection<Document & { _id: string }>('holdfast');

  it('is made, brought to the newest schema, and opened again with the same client options (MONGO-1)', async () => {
    const uri = server.uri();
    const first = await open({ uri: `${uri}${uri.includes('?') ? '&' : '?'}w=1&readPreference=secondary` });

    expect(await (await schema(uri)).findOne()).toEqual({ _id: 'schema', version: STEPS.length });
    expect(first.db.writeConcern).toMatchObject({ w: 'majority', journal: true });
    expect(first.db.readPreference?.mode).toBe('primary');
    expect(Number.parseInt(first.server.version, 10)).toBeGreaterThanOrEqual(7);
    expect((await open({ uri })).db.databaseName).toBe(first.db.databaseName);
  });

  it('takes each step once when five open it at once (SCHEMA-2)', async () => {
    const uri = server.uri();
    const steps: Step[] = ['one', 'two', 'three'].map((_id) => async (db) => {
      await db
        .collection<{ _id: string; count: number }>('taken')
        .updateOne({ _id }, { $inc: { count: 1 } }, { upsert: true });
    });

    await Promise.all([1, 2, 3, 4, 5].map(() => open({ uri, steps })));

    const taken = await (await beside(uri)).collection('taken').find().toArray();
    expect(taken.map(({ count }) => Number(count))).toEqual([1, 1, 1]);
    expect(await (await schema(uri)).findOne()).toEqual({ _id: 'schema', version: 3 });
  });

  it('is opened by five processes that start at once (MONGO-1)', async () => {
    const uri = server.uri();
    const module = JSON.stringify(new URL('../../../src/platform/mongo/database.ts', import.meta.url).href);
    const script = `const { MongoDatabase } = await import(${module});
      const database = await MongoDatabase.open({ uri: process.env.URI });
      console.log(database.server.version);
      await database.close();`;

    const all = [1, 2, 3, 4, 5].map(() =>
      run(process.execPath, ['--input-type=module', '-e', script], { env: { ...process.env, URI: uri } }),
    );

    for (const { stdout } of await Promise.all(all)) expect(stdout).toMatch(/^\d+\.\d/);
    expect(await (await schema(uri)).findOne()).toEqual({ _id: 'schema', version: STEPS.length });
  });

  it('is brought forward from an older version, by the steps that it has not taken', async () => {
    const uri = server.uri();
    const taken: string[] = [];
    const step = (name: string) => async () => void taken.push(name);
    await open({ uri, steps: [step('one')] });

    await open({ uri, steps: [step('one'), step('two'), step('three')] });
    await open({ uri, steps: [step('one'), step('two'), step('three')] });

    expect(taken).toEqual(['one', 'two', 'three']);
  });

  it('is left as it is when a newer version has written it (MONGO-2, SCHEMA-1)', async () => {
    const uri = server.uri();
    await (await schema(uri)).insertOne({ _id: 'schema', version: STEPS.length + 1 });

    expect(await refusal(uri)).toMatch(/was written by a newer Holdfast \(schema \d+; this one knows \d+\)/);
    expect(await (await schema(uri)).findOne()).toEqual({ _id: 'schema', version: STEPS.length + 1 });
    expect(await (await beside(uri)).listCollections().toArray()).toHaveLength(1);
  });

  it('is left as it is when it belongs to something else (MONGO-2, SCHEMA-1)', async () => {
    const uri = server.uri();
    await (await beside(uri)).collection('customer').insertOne({ name: 'someone' });

    expect(await refusal(uri)).toMatch(/belongs to something else \(it has a collection "customer"/);
    expect(await (await beside(uri)).listCollections().toArray()).toHaveLength(1);
  });

  it('is refused when its schema document has no version', async () => {
    const uri = server.uri();
    await (await schema(uri)).insertOne({ _id: 'schema' });

    expect(await refusal(uri)).toMatch(/is not Holdfast's, or is damaged/);
  });

  it('is taken over from a holder of the lock that crashed in its step (SCHEMA-3)', async () => {
    const uri = server.uri();
    await (await schema(uri)).insertOne({ _id: 'schema', version: 0, lock: { holder: 'dead', beat: 3 } });
    const taken: string[] = [];

    await open({ uri, clock: fastClock(), steps: [async () => void taken.push('one')] });

    expect(taken).toEqual(['one']);
    expect(await (await schema(uri)).findOne()).toEqual({ _id: 'schema', version: 1 });
  });

  it('is not taken from a holder that lives, however long its step takes (SCHEMA-3)', async () => {
    const uri = server.uri();
    const lock = await schema(uri);
    const taken: string[] = [];
    let finish: () => void = () => undefined;
    const mayFinish = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const slow = open({
      uri,
      clock: fastClock(),
      steps: [async () => mayFinish.then(() => void taken.push('slow'))],
    });
    const isBeating = async (beats: number) => Number((await lock.findOne())?.['lock']?.beat) > beats;
    await eventually('the holder beats', () => isBeating(0));

    const waiting = open({ uri, clock: fastClock(), steps: [async () => void taken.push('waiting')] });
    await eventually('it beats longer than a dead one is waited for', () => isBeating(6));
    finish();
    await Promise.all([slow, waiting]);

    expect(taken).toEqual(['slow']);
  });

  it('takes a step again whose answer did not come, and holds the lock meanwhile (SCHEMA-4)', async () => {
    const uri = server.uri();
    const lock = await schema(uri);
    const held: boolean[] = [];
    const steps: Step[] = [
      async () => {
        held.push((await lock.findOne())?.['lock'] !== undefined);
        if (held.length < 3) throw new MongoNetworkTimeoutError('no answer');
      },
    ];

    await open({ uri, steps, clock: fastClock() });

    expect(held).toEqual([true, true, true]);
    expect(await lock.findOne()).toEqual({ _id: 'schema', version: 1 });
  });

  it('is refused when a step has not ended after a long while', async () => {
    const { sleep } = fastClock();
    let time = 0;
    const endless: Step = async () => {
      time += 6 * 60_000;
      throw new MongoNetworkTimeoutError('no answer');
    };

    const opening = open({
      uri: server.uri(),
      steps: [endless],
      clock: { now: () => time, monotonicNow: () => time, sleep },
    });

    await expect(opening).rejects.toThrow(/has not finished a step of its schema for 15 minutes/);
    await expect(opening).rejects.toBeInstanceOf(DatabaseUnusable);
  });

  it('is brought forward although every other answer to an update of the lock is lost (SCHEMA-4)', async () => {
    const uri = server.uri();
    const { db } = await open({ uri, steps: [] });
    const taken: string[] = [];
    const steps = ['one', 'two'].map((name) => async () => void taken.push(name));

    await migrate({ db: losingAnswers(db), address: uri, steps, clock: fastClock(), logger: silentLogger });

    expect(taken).toEqual(['one', 'two']);
    expect(await (await schema(uri)).findOne()).toEqual({ _id: 'schema', version: 2 });
  });

  it('keeps its version when a holder that was only slow comes back after another took over (SCHEMA-3)', async () => {
    const uri = server.uri();
    let takenOver: () => void = () => undefined;
    const untilTakenOver = new Promise<void>((resolve) => {
      takenOver = resolve;
    });
    // It looks, and never beats.
    const sleep: Clock['sleep'] = (ms, signal) => systemClock.sleep(ms < 1_000 ? ms : 600_000, signal);
    const unbeating: Clock = { now: () => 0, monotonicNow: () => 0, sleep };
    const slow = open({ uri, clock: unbeating, steps: [async () => untilTakenOver] });
    const lock = await schema(uri);
    await eventually('it holds the lock', async () => (await lock.findOne())?.['lock'] !== undefined);

    const taken: string[] = [];
    const steps = ['one', 'two'].map((name) => async () => void taken.push(name));
    await open({ uri, clock: fastClock(), steps });
    takenOver();

    await expect(slow).rejects.toThrow(/newer Holdfast/);
    expect(taken).toEqual(['one', 'two']);
    expect(await lock.findOne()).toEqual({ _id: 'schema', version: 2 });
  });
});

/** A clock on which a crashed holder is waited for as long as ever, and we are not. */
function fastClock(): Clock {
  const FASTER = 20;
  return {
    now: () => Date.now() * FASTER,
    monotonicNow: () => systemClock.monotonicNow() * FASTER,
    sleep: (ms, signal) => systemClock.sleep(ms / FASTER, signal),
  };
}

/** The database, with every other answer to an update lost on its way. */
function losingAnswers(db: Db): Db {
  let updates = 0;
  const losing = (collection: Collection): Collection => {
    const updateOne = async (...given: Parameters<Collection['updateOne']>) => {
      const answer = await collection.updateOne(...given);
      updates += 1;
      if (updates % 2 === 1) throw new MongoNetworkTimeoutError('lost');
      return answer;
    };
    return new Proxy(collection, {
      get: (target, property) =>
        property === 'updateOne' ? updateOne : Reflect.get(target, property, target),
    });
  };
  const collection = (name: string): Collection => losing(db.collection(name));
  return new Proxy(db, {
    get: (target, property) =>
      property === 'collection' ? collection : Reflect.get(target, property, target),
  });
}
