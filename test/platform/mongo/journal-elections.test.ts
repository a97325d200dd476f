/**
 * What a new primary answers right after its election: reads of what a majority has may lag behind what was acknowledged before.
 * No server here can show it, so a view of the collection does: for a while it answers majority reads as they were.
 */
import type { Db } from 'mongodb';
import { expect, it } from 'vitest';
import { silentLogger } from '../../../src/kernel/logger.ts';
import { systemClock } from '../../../src/kernel/clock.ts';
import { MongoDatabase } from '../../../src/platform/mongo/database.ts';
import { MongoJournal } from '../../../src/platform/mongo/journal/journal.ts';
import { TurnOver } from '../../../src/sessions/faults.ts';
import { mongoSuite } from '../../support/mongo-suite.ts';
import { appending, nothing, originOf, spoken } from '../../support/session-log.ts';
import { Ownership } from '../../../src/platform/mongo/ownership.ts';

const NO_CHANNEL = { hint: () => undefined, onHint: () => () => undefined };
const LAGS_MS = 300;

class LaggingView {
  readonly #database: MongoDatabase;
  #before: readonly object[] = [];
  #until = 0;

  constructor(database: MongoDatabase) {
    this.#database = database;
  }

  /** From now on, for LAGS_MS, majority reads answer what was there when `remember` was called. */
  async remember(): Promise<void> {
    this.#before = await this.#database.db.collection('session').find().toArray();
  }

  lag(): void {
    this.#until = Date.now() + LAGS_MS;
  }

  get db(): Db {
    return view(this.#database.db, {
      collection: (name: string, ...rest: []) => {
        const collection = this.#database.db.collection(name, ...rest);
        if (name !== 'session') return collection;
        return view(collection, {
          find: (filter: object, options?: { readonly readConcern?: { readonly level?: string } }) => {
            const isLocal = options?.readConcern?.level === 'local';
            if (isLocal || Date.now() >= this.#until) return collection.find(filter, options as object);
            return { toArray: async () => structuredClone(this.#before) };
          },
        });
      },
    });
  }
}

/** `target` with some of its methods replaced. */
function view<T extends object>(target: T, replaced: Readonly<Record<string, unknown>>): T {
  return new Proxy(target, {
    get(own, name) {
      if (typeof name === 'string' && name in replaced) return replaced[name];
      const value: unknown = Reflect.get(own, name, own);
      return typeof value === 'function' ? value.bind(own) : value;
    },
  });
}

await mongoSuite('after an election', (server) => {
  async function begin() {
    const database = await MongoDatabase.open({ uri: server.uri() });
    const lagging = new LaggingView(database);
    const journal = () =>
      new MongoJournal({
        db: lagging.db,
        ownership: new Ownership(database.firstOrganisation),
        clock: systemClock,
        logger: silentLogger,
        channel: NO_CHANNEL,
        caps: { eventsMax: 1_000, bytesMax: 1_000_000 },
      });
    return { database, lagging, one: journal(), other: journal(), origin: originOf() };
  }

  it('JOURNAL-4 JOURNAL-5 nothing is refused because of a record that is older than what was acknowledged', async () => {
    const { database, lagging, one, other, origin } = await begin();
    const refuse = () => ({ kind: 'refuse', fault: new TurnOver() }) as const;
    const lease = {
      type: 'brain.started',
      actor: { kind: 'system' },
      body: { epoch: 1, owner: 'o' },
    } as const;
    await one.create(origin, nothing);
    await lagging.remember();
    await one.append(origin.id, { key: 'k', decide: appending(spoken('acknowledged'), lease) });
    lagging.lag();

    const answers = await Promise.all([
      one.append(origin.id, { decide: nothing }),
      other.append(origin.id, { key: 'k', decide: refuse }),
      other.append(origin.id, { epoch: 1, decide: nothing }),
    ]);

    expect(answers).toMatchObject([
      { firstSeq: 3, lastSeq: 2 },
      { firstSeq: 1, lastSeq: 2, replayed: true },
      { firstSeq: 3, lastSeq: 2 },
    ]);
    await database.close();
  });

  it('a session that was just created is there', async () => {
    const { database, lagging, one, other, origin } = await begin();
    await lagging.remember();
    await one.create(origin, nothing);
    lagging.lag();

    await expect(other.append(origin.id, { decide: appending(spoken('a')) })).resolves.toMatchObject({
      lastSeq: 1,
    });
    await database.close();
  });
});
