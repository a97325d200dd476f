/** Whose documents are on MongoDB: those of servers from before organisations, beside this one, and what looking for another one's costs. */
import { afterEach, expect, it } from 'vitest';
import { OlderServerRuns } from '../../../src/access/faults.ts';
import { newId, type SessionId, turnIdOf } from '../../../src/kernel/id.ts';
import { type MongoStore, openMongo } from '../../../src/platform/mongo/store.ts';
import { DriverWatch, watchedUri } from '../../support/driver-watch.ts';
import { mongoSuite } from '../../support/mongo-suite.ts';
import { appending, nothing, originOf, spoken } from '../../support/session-log.ts';

await mongoSuite('organisations on MongoDB', (server) => {
  const open: MongoStore[] = [];
  afterEach(async () => {
    for (const store of open.splice(0)) await store.close();
  });

  async function begin(): Promise<MongoStore> {
    const store = await openMongo({ uri: watchedUri(server.uri()) });
    open.push(store);
    return store;
  }

  it('proves ORGANISATION-3: what a server of the version before writes is the first one’s, and takes its names', async () => {
    const store = await begin();
    const { db } = store.database;
    const { first } = store.organisations;
    const second = newId('organisation');
    const origin = originOf({ organisationId: first, key: 'k' });
    await store.sessions.create(origin, nothing);
    const revision = { number: 1, prompt: 'p', model: 'm', createdAt: 1 };
    const agent = { _id: newId('agent'), name: 'then', revision, createdAt: 1, updatedAt: 1, limits: {} };
    await db.collection<{ _id: string }>('agent').insertOne(agent);

    const written = await db.collection<{ _id: string }>('session').findOne({ _id: origin.id });
    expect(written, 'as that version would have written it').not.toHaveProperty('organisationId');
    expect(await store.agents.byName(first, 'then')).toMatchObject({ id: agent._id, organisationId: first });
    expect(await store.agents.byName(second, 'then')).toBeUndefined();
    const again = db.collection<{ _id: string }>('agent').insertOne({ ...agent, _id: newId('agent') });
    await expect(again).rejects.toMatchObject({ code: 11_000 });
    const another = { ...written, _id: newId('session') };
    await expect(db.collection<{ _id: string }>('session').insertOne(another)).rejects.toMatchObject({
      code: 11_000,
    });
    expect((await store.sessions.list(first, { key: 'k' }, { limit: 9 })).length).toBe(1);
  });

  it('has no second one while a server from before organisations has a heartbeat, since that one shows everything', async () => {
    const store = await begin();
    const record = { id: newId('organisation'), name: 'second', createdAt: 1 };
    await store.owners.beat('of this version');
    await store.database.db
      .collection<{ _id: string }>('owner')
      .insertOne({ _id: 'older', beats: 1 } as never);

    await expect(store.organisations.create(record)).rejects.toThrow(OlderServerRuns);

    await store.owners.retire('older');
    expect(await store.organisations.create(record)).toMatchObject({ created: true });
  });

  it('proves WRITER-5 and ORGANISATION-1: another one’s session is refused after the commands of one that is not there', async () => {
    const store = await begin();
    const other = newId('organisation');
    const { session } = await store.sessions.create(originOf(), appending(spoken('hello')));
    const watch = new DriverWatch(store.database.client);
    const commandsOf = async (id: SessionId) => {
      const ask = (work: () => Promise<unknown>) => watch.during(() => work().catch(() => undefined));
      const decide = appending(spoken('x'));
      const asked = [
        await ask(() => store.journal.append(id, { organisationId: other, decide })),
        await ask(() => store.journal.append(id, { organisationId: other, decide, key: 'k' })),
        await ask(() => store.sessions.get(id, other)),
        await ask(() => store.sessions.turns(id, { limit: 9 }, other)),
        await ask(() => store.sessions.turn(id, turnIdOf(id, 1), other)),
      ];
      // hints go out beside, whenever they do
      const told = asked.map((commands) => commands.filter(({ collection }) => collection !== 'live'));
      return told.map((commands) => commands.map(({ name, collection }) => `${name} ${collection}`));
    };

    const cold = await commandsOf(session.id);
    await store.journal.append(session.id, { decide: appending(spoken('its own')) });
    const warm = await commandsOf(session.id);
    const absent = await commandsOf(newId('session'));

    expect(absent.every((commands) => commands.length > 0)).toBe(true);
    expect(cold).toEqual(absent);
    expect(warm).toEqual(absent);
  });
});
