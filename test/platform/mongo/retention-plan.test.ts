/** How MongoDB finds what rests, and agents that were not deleted: by their indexes, without a sort. */
import { expect, it } from 'vitest';
import { newId } from '../../../src/kernel/id.ts';
import { openMongo } from '../../../src/platform/mongo/store.ts';
import { restingFilter } from '../../../src/platform/mongo/stores/retention-store.ts';
import { NEWEST_FIRST, olderThan } from '../../../src/platform/mongo/newest-first.ts';
import { mongoSuite } from '../../support/mongo-suite.ts';

await mongoSuite('the plans of retention', (server) => {
  it('walk the index of (organisation, status, since when)', async () => {
    const store = await openMongo({ uri: server.uri() });
    const { db } = store.database;
    const place = { until: 9, after: { statusAt: 5, id: newId('session') } };
    const filter = restingFilter({ organisationId: newId('organisation'), status: 'idle' }, place);
    const indexes = await db.collection('session').indexes();
    expect(indexes.map(({ key }) => key)).toContainEqual({
      organisationId: 1,
      status: 1,
      'state.statusAt': 1,
      _id: 1,
    });
    if (server.isMongod) {
      const cursor = db.collection('session').find(filter as object);
      const plan = JSON.stringify(await cursor.sort({ 'state.statusAt': 1, _id: 1 }).explain());
      expect(plan).toContain('organisationId_1_status_1_state.statusAt_1__id_1');
      expect(plan).not.toMatch(/"stage":"(SORT|COLLSCAN)"/);
      const agents = db
        .collection('agent')
        .find({ organisationId: null, deletedAt: null, ...olderThan(undefined) });
      const list = JSON.stringify(await agents.sort(NEWEST_FIRST).explain());
      expect(list).toContain('organisationId_1_deletedAt_1_createdAt_-1__id_-1');
      expect(list).not.toMatch(/"stage":"(SORT|COLLSCAN)"/);
    }
    await store.close();
  });
});
