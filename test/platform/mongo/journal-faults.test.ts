/**
 * Each command of an append fails, before the server does it or after: the append is answered all the same, it is in the log once,
 * and its key says so. What fails is chosen by a seed, which the name of the test says.
 */
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { SessionId } from '../../../src/kernel/id.ts';
import { PAGE_EVENTS_MAX } from '../../../src/kernel/limit.ts';
import type { SessionDocument } from '../../../src/platform/mongo/journal/session-document.ts';
import { type MongoStore, openMongo } from '../../../src/platform/mongo/store.ts';
import { mongoSuite } from '../../support/mongo-suite.ts';
import { randomOf } from '../../support/random.ts';
import { appending, nothing, originOf, spoken } from '../../support/session-log.ts';
import { type Fate, TcpProxy } from '../../support/tcp-proxy.ts';

const SEED = Number(process.env['SEED'] ?? Date.now());
const CASES = process.env['HOLDFAST_TEST_LONG'] === '1' ? 300 : 4;
/** Enough that the newest pages leave the session's document, so that all of find, update and insert are in it. */
const APPENDS = 24;
/** Where it matters what fails and not when. */
const APPENDS_FEW = 3;
/** What a journal asks; the live channel beside it replaces one document with `update` too, which may fail as well. */
const COMMANDS = new Set(['find', 'update', 'insert']);

/** A body that is kept beside its event now and then: one more insert. */
const LONG = 'x'.repeat(100_000);

async function appendAll(store: MongoStore, id: SessionId, appends = APPENDS): Promise<readonly string[]> {
  const expected: string[] = [];
  for (let number = 1; number <= appends; number += 1) {
    const text = number % 10 === 0 ? `${number} ${LONG}` : `${number}`;
    const { firstSeq, lastSeq, replayed } = await store.journal.append(id, {
      key: `step/${number}`,
      decide: appending(spoken(text), spoken(`${text} again`)),
    });
    expect({ firstSeq, lastSeq, replayed }).toEqual({
      firstSeq: 2 * number - 1,
      lastSeq: 2 * number,
      replayed: false,
    });
    expected.push(text, `${text} again`);
  }
  return expected;
}

/** In the log once each, and every key known. */
async function expectLog(store: MongoStore, id: SessionId, expected: readonly string[]): Promise<void> {
  const events = await store.journal.read(id, { after: 0, limit: PAGE_EVENTS_MAX });
  expect(events.map(({ seq }) => seq)).toEqual(expected.map((_, index) => index + 1));
  const bodies = await Promise.all(events.map(({ seq }) => store.journal.readBody(id, seq)));
  expect(bodies).toEqual(expected.map((text) => JSON.stringify({ callId: 'call', text })));
  const numbers = Array.from({ length: expected.length / 2 }, (_, index) => index + 1);
  await Promise.all(
    numbers.map(async (number) => {
      const again = await store.journal.append(id, {
        key: `step/${number}`,
        decide: appending(spoken('doubled')),
      });
      expect(again).toMatchObject({ firstSeq: 2 * number - 1, lastSeq: 2 * number, replayed: true });
    }),
  );
  expect(await store.journal.head(id)).toBe(expected.length);
}

await mongoSuite('an append goes over', (server) => {
  let direct: MongoStore;
  let store: MongoStore;
  let proxy: TcpProxy;
  const uri = server.uri();
  beforeAll(async () => {
    proxy = await TcpProxy.open(server.base);
    direct = await openMongo({ uri });
    store = await openMongo({ uri: proxy.through(uri) });
  });
  afterAll(async () => {
    await store.close();
    await direct.close();
    await proxy.close();
  });

  // proves WRITER-2
  it(`connections that are lost before or after any of its commands (seed ${SEED})`, async () => {
    const random = randomOf(SEED);
    for (let round = 0; round < CASES; round += 1) {
      const { id } = originOf();
      await direct.sessions.create(originOf({ id }), nothing);
      // The driver tries once more by itself: from the second on the journal has to.
      const [first, times] = [random.below(APPENDS * 2), 1 + random.below(5)];
      const fates = Array.from({ length: times }, (): Fate => random.pick(['lose request', 'lose answer']));
      let asked = 0;
      proxy.decide((command) => {
        if (!COMMANDS.has(command)) return 'pass';
        asked += 1;
        return fates[asked - 1 - first] ?? 'pass';
      });
      const told = `round ${round}: ${fates.join(', ')} from command ${first} on`;
      const expected = await appendAll(store, id).catch((cause: unknown) => {
        throw new Error(told, { cause });
      });
      proxy.decide(() => 'pass');
      await expectLog(direct, id, expected);
    }
    expect(proxy.lost['lose answer']).toBeGreaterThan(0);
    expect(proxy.lost['lose request']).toBeGreaterThan(0);
  }, 300_000);

  it('a server that is away for longer than the driver looks for one', async () => {
    const { id } = originOf();
    await direct.sessions.create(originOf({ id }), nothing);
    const impatient = await openMongo({ uri: `${proxy.through(uri)}&serverSelectionTimeoutMS=200` });
    await impatient.journal.append(id, { key: 'before', decide: appending(spoken('before')) });
    proxy.refuse();
    const appended = impatient.journal.append(id, { key: 'after', decide: appending(spoken('after')) });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    proxy.accept();

    expect(await appended).toMatchObject({ firstSeq: 2, lastSeq: 2, replayed: false });
    await impatient.close();
  });

  it('a neighbour in the same write that cannot be written', async () => {
    const [large, small] = [originOf().id, originOf().id];
    for (const id of [large, small]) await direct.sessions.create(originOf({ id }), nothing);
    for (const id of [large, small]) await direct.journal.append(id, { decide: appending(spoken('first')) });
    const padding = 'x'.repeat(16 * 1024 * 1024 - 2_500);
    const documents = direct.database.db.collection<SessionDocument & { padding?: string }>('session');
    await documents.updateOne({ _id: large }, { $set: { padding } });

    const [refused, landed] = await Promise.allSettled(
      [large, small].map((id) => direct.journal.append(id, { decide: appending(spoken('x'.repeat(3_000))) })),
    );

    expect(refused?.status).toBe('rejected');
    expect(landed).toMatchObject({ status: 'fulfilled', value: { firstSeq: 2, lastSeq: 2 } });
  });
});

/**
 * A fail point says that the server is no primary, and the server's own greeting does not: a real one greets at once when it
 * changes, this one only in its usual time, for which the driver waits.
 */
const ASKS_OFTEN = '?serverMonitoringMode=poll&heartbeatFrequencyMS=500';
/** Codes of a server that goes, comes or is in another's way; the last of them only readers are told. */
const CODES = [6, 91, 262, 10_107, 11_602, 112, 134, 365] as const;
const CODES_OF_READS = [133, 175] as const;

await mongoSuite(
  'an append goes over',
  (server) => {
    let store: MongoStore;
    let client: MongoClient;
    const failing = (times: number, data: object): Promise<unknown> =>
      client.db('admin').command({
        configureFailPoint: 'failCommand',
        mode: times === 0 ? 'off' : { times },
        data: { failCommands: [...COMMANDS], ...data },
      });
    beforeAll(async () => {
      store = await openMongo({ uri: `${server.uri()}${ASKS_OFTEN}` });
      client = new MongoClient(server.base);
    });
    afterAll(async () => {
      await store.close();
      await client.close();
    });

    it.each(CODES)('error %i, with the labels that the server gives it and without', async (errorCode) => {
      for (const labels of [{}, { errorLabels: [] }]) {
        const { id } = originOf();
        await store.sessions.create(originOf({ id }), nothing);
        await failing(4, { errorCode, ...labels });
        const expected = await appendAll(store, id, APPENDS_FEW);
        await failing(0, {});
        await expectLog(store, id, expected);
      }
    });

    it.each([64, 91])(
      'writes that a majority does not acknowledge in time (%i): done or not, each is there once',
      async (code) => {
        const { id } = originOf();
        await store.sessions.create(originOf({ id }), nothing);
        await failing(6, {
          failCommands: ['update', 'insert'],
          writeConcernError: { code, errmsg: 'not yet' },
        });
        const expected = await appendAll(store, id, APPENDS_FEW);
        await failing(0, {});
        await expectLog(store, id, expected);
      },
    );

    it.each(CODES_OF_READS)('error %i of a read', async (errorCode) => {
      const { id } = originOf();
      await store.sessions.create(originOf({ id }), nothing);
      const expected = await appendAll(store, id, APPENDS_FEW);
      await failing(3, { failCommands: ['find'], errorCode });
      const events = await store.journal.read(id, { after: 0, limit: PAGE_EVENTS_MAX });
      await failing(0, {});
      expect(events).toHaveLength(expected.length);
    });
  },
  { own: true, testCommands: true },
);
