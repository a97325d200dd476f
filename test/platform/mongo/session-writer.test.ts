/** When a write counts, and what of it stays in the session's document: with a database that is slow or refuses, in one collection. */
import type { Collection, Db } from 'mongodb';
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../../src/kernel/clock.ts';
import { silentLogger } from '../../../src/kernel/logger.ts';
import { MongoDatabase } from '../../../src/platform/mongo/database.ts';
import { MongoJournal } from '../../../src/platform/mongo/journal/journal.ts';
import type { SessionDocument } from '../../../src/platform/mongo/journal/session-document.ts';
import { mongoSuite } from '../../support/mongo-suite.ts';
import { appending, nothing, originOf, spoken } from '../../support/session-log.ts';
import { Ownership } from '../../../src/platform/mongo/ownership.ts';
import { OURS } from '../../support/organisation.ts';

/** Appends that are stored as pages of their own meanwhile (tail.ts). */
const MANY = 40;

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

function journalOver(db: Db): MongoJournal {
  const channel = { hint: () => undefined, onHint: () => () => undefined };
  const caps = { eventsMax: 1_000, bytesMax: 1_000_000 };
  const ownership = new Ownership(OURS.id);
  const journal = new MongoJournal({
    db,
    ownership,
    clock: systemClock,
    logger: silentLogger,
    channel,
    caps,
  });
  closing.push(() => journal.close());
  return journal;
}

/** The database, where one collection has another `method`. */
function replacing(
  db: Db,
  name: string,
  method: 'insertMany' | 'bulkWrite',
  instead: (collection: Collection, given: readonly unknown[]) => Promise<unknown>,
): Db {
  const collection = (...asked: Parameters<Db['collection']>): Collection => {
    const real = db.collection(...asked);
    if (asked[0] !== name) return real;
    const call = (...given: readonly unknown[]) => instead(real, given);
    return new Proxy(real, {
      get: (target, property) => (property === method ? call : Reflect.get(target, property, target)),
    });
  };
  return new Proxy(db, {
    get: (target, property) =>
      property === 'collection' ? collection : Reflect.get(target, property, target),
  });
}

await mongoSuite('a write of a session', (server) => {
  async function open(): Promise<Db> {
    const database = await MongoDatabase.open({ uri: server.uri() });
    closing.push(() => database.close());
    return database.db;
  }

  it('leaves pages in the document that could not be stored, and the log is whole (WRITER-3, PAGE-1)', async () => {
    const db = await open();
    let refused = 0;
    let isRefusing = true;
    const journal = journalOver(
      replacing(db, 'page', 'insertMany', async (collection, given) => {
        if (!isRefusing) return Reflect.apply(collection.insertMany, collection, given);
        refused += 1;
        throw new Error('refused');
      }),
    );
    const { id } = originOf();
    await journal.create(originOf({ id }), nothing);
    const append = (step: number) => journal.append(id, { decide: appending(spoken(`${step}`)) });
    const wholeLog = async () =>
      (await journalOver(db).read(id, { after: 0, limit: 200 })).map(({ body }) => JSON.parse(body).text);
    const expected = Array.from({ length: 2 * MANY }, (_, step) => `${step}`);
    const pages = async () =>
      (await db.collection<SessionDocument>('session').findOne({ _id: id }))?.tail.length;

    for (let step = 0; step < MANY; step += 1) await append(step);
    expect(refused).toBeGreaterThan(0);
    expect(await pages()).toBe(MANY);
    expect(await wholeLog()).toEqual(expected.slice(0, MANY));

    isRefusing = false;
    for (let step = MANY; step < 2 * MANY; step += 1) await append(step);
    expect(await pages()).toBeLessThan(MANY);
    expect(await wholeLog()).toEqual(expected);
  });

  it('is told to nobody before a majority has it (WRITER-4)', async () => {
    const db = await open();
    const written = Promise.withResolvers<void>();
    const answered = Promise.withResolvers<void>();
    const journal = journalOver(
      replacing(db, 'session', 'bulkWrite', async (collection, given) => {
        expect(collection.writeConcern).toMatchObject({ w: 'majority', journal: true }); // so the answer says that
        const answer: unknown = await Reflect.apply(collection.bulkWrite, collection, given);
        written.resolve();
        await answered.promise;
        return answer;
      }),
    );
    const { id } = originOf();
    await journal.create(originOf({ id }), nothing);
    const heard: string[] = [];
    journal.onHint(({ head }) => heard.push(`hint ${head}`));

    const append = journal.append(id, { decide: appending(spoken('a')) });
    void append.then(({ lastSeq }) => heard.push(`answer ${lastSeq}`));
    await written.promise;
    await new Promise(setImmediate);
    expect(heard).toEqual([]);
    answered.resolve();
    await append;

    expect(heard.toSorted()).toEqual(['answer 1', 'hint 1']);
  });
});
