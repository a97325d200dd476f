/** Two servers' stores on one database: what one deletes is gone for the other, whatever it had in mind or was still writing. */
import { afterEach, expect, it } from 'vitest';
import { SessionGone } from '../../../src/journal/faults.ts';
import type { Hint } from '../../../src/journal/journal.ts';
import { newId } from '../../../src/kernel/id.ts';
import { pageIdOf } from '../../../src/platform/mongo/journal/session-document.ts';
import { type MongoStore, openMongo } from '../../../src/platform/mongo/store.ts';
import { eventually } from '../../support/eventually.ts';
import { mongoSuite } from '../../support/mongo-suite.ts';
import { OURS } from '../../support/organisation.ts';
import { appending, nothing, originOf, spoken } from '../../support/session-log.ts';

await mongoSuite('deleting on one of two servers', (server) => {
  const open: MongoStore[] = [];
  afterEach(async () => {
    for (const store of open.splice(0)) await store.close();
  });

  async function two() {
    const uri = server.uri();
    const [one, other] = [await openMongo({ uri }), await openMongo({ uri })];
    open.push(one, other);
    const { session } = await one.sessions.create(originOf(), nothing);
    return { one, other, id: session.id };
  }
  const stone = (id: ReturnType<typeof originOf>['id']) =>
    ({ id, organisationId: OURS.id, deletedAt: 1, deletedBy: { kind: 'system' } }) as const;

  it('refuses what the other had decided on the record before, and hints it there', async () => {
    const { one, other, id } = await two();
    await other.journal.append(id, { decide: appending(spoken('known')) });
    await eventually('the other hears', () => other.channel.isHearing);
    const hints: Hint[] = [];
    other.journal.onHint((hint) => hints.push(hint));

    expect(await one.deletions.begin(stone(id))).toMatchObject({ replayed: false });

    await expect(other.journal.append(id, { decide: appending(spoken('late')) })).rejects.toBeInstanceOf(
      SessionGone,
    );
    await expect(other.journal.append(id, { decide: nothing })).rejects.toBeInstanceOf(SessionGone);
    await eventually('the hint', () =>
      hints.some(({ gone, sessionId }) => gone === true && sessionId === id),
    );
    expect(await other.deletions.begin(stone(id))).toMatchObject({ replayed: true });
  });

  it('erases with its second look what was being written when its deletion was begun', async () => {
    const { one, other, id } = await two();
    const neighbour = newId('session');
    await one.deletions.begin(stone(id));
    expect(await one.deletions.erase([id])).toEqual([id]);
    const { db } = other.database;
    const pages = db.collection<{ _id: string }>('page');
    const bodies = db.collection<{ _id: string }>('body');
    const late = [id, neighbour].map((of) => ({ _id: pageIdOf(of, 1) }));
    await pages.insertMany(late);
    await bodies.insertMany([{ _id: `${id}/hash` }, { _id: `${neighbour}/hash` }]);

    expect(one.deletions.lateMs).toBeGreaterThan(0);
    expect(await other.deletions.pending({ limit: 9 })).toEqual([id]);
    expect(await other.deletions.erase([id])).toEqual([id]);
    await other.deletions.finish([id]);

    const left = [await pages.find().toArray(), await bodies.find().toArray()].flat().map(({ _id }) => _id);
    expect(left).toEqual([pageIdOf(neighbour, 1), `${neighbour}/hash`]);
    expect(await one.deletions.pending({ limit: 9 })).toEqual([]);
  });

  it('leaves to a server of the version before a closed session of nobody: in no list, without a head to append at', async () => {
    const { one, id } = await two();
    await one.deletions.begin(stone(id));
    const sessions = one.database.db.collection<{ _id: string }>('session');

    const asBefore = await sessions.findOne({ _id: id });
    expect(asBefore).toMatchObject({
      status: 'archived',
      tail: [],
      state: { status: 'archived', epoch: -1 },
    });
    expect(asBefore).not.toHaveProperty('head');
    expect(asBefore).not.toHaveProperty('key');
    expect(await sessions.countDocuments({ organisationId: null })).toBe(0);
    expect(await sessions.countDocuments({ wantedSince: { $exists: true } })).toBe(0);
  });
});
