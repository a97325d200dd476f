/** The same seed on both stores: the adapters may differ in how, never in what is written. */
import { expect, it } from 'vitest';
import { mongoSuite } from '../support/mongo-suite.ts';
import { runHistory } from './history.ts';
import { onMongo, onSqlite } from './store-kinds.ts';

const SEEDS = [3];
/** Each request is real there, and the machine may do much else. */
const RETRY_BUDGET_MS = 600_000;

await mongoSuite('one history on both stores', (server) => {
  for (const seed of SEEDS) {
    it(`ends in the same logs and records, seed ${seed}`, { timeout: RETRY_BUDGET_MS }, async () => {
      const options = { seed, isStill: true } as const;

      const onOne = await runHistory({ ...options, store: onSqlite });
      const onOther = await runHistory({ ...options, store: onMongo(() => server.uri()) });

      expect(onOne.world.violation).toBeUndefined();
      expect(onOther.world.violation).toBeUndefined();
      expect(onOne.events).toBeGreaterThan(0);
      expect(onOther.canonical).toEqual(onOne.canonical);
    });
  }
});
