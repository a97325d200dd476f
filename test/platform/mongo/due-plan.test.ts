/** How MongoDB finds what is due: by an index in which nothing else is, without a sort. */
import { expect, it } from 'vitest';
import { newId } from '../../../src/kernel/id.ts';
import { openMongo } from '../../../src/platform/mongo/store.ts';
import { dueFilter } from '../../../src/platform/mongo/stores/due-store.ts';
import { mongoSuite } from '../../support/mongo-suite.ts';

await mongoSuite('the plan of what is due', (server) => {
  it('walks the partial index of (when, id)', async () => {
    const store = await openMongo({ uri: server.uri() });
    const sessions = store.database.db.collection('session');
    const filter = dueFilter({ until: 9, after: { dueAt: 5, id: newId('session') } });

    const indexes = await sessions.indexes();

    expect(indexes).toContainEqual(
      expect.objectContaining({
        key: { dueAt: 1, _id: 1 },
        partialFilterExpression: { dueAt: { $exists: true } },
      }),
    );
    if (server.isMongod) {
      const plan = JSON.stringify(
        await sessions
          .find(filter as object)
          .sort({ dueAt: 1, _id: 1 })
          .explain(),
      );
      expect(plan).toContain('dueAt_1__id_1');
      expect(plan).not.toMatch(/"stage":"(SORT|COLLSCAN)"/);
    }
    await store.close();
  });
});
