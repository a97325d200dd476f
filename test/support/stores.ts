/**
 * The stores that a Holdfast under test may have, and the switch between them: HOLDFAST_TEST_STORE=sqlite or mongo puts every
 * scenario on that store. Unset, scenarios are on SQLite, and the few that use onEachStore are on both.
 */
import { describe } from 'vitest';
import { mayBeSkipped } from './mongo-suite.ts';
import { mongoServer } from './mongo.ts';

const STORES = ['sqlite', 'mongo'] as const;
export type Store = (typeof STORES)[number];

/** `default` is of the scenarios that do not care, `each` of those that run on each store. */
export function storesOfRun(env: NodeJS.ProcessEnv): {
  readonly default: Store;
  readonly each: readonly Store[];
} {
  const asked = env['HOLDFAST_TEST_STORE'] ?? '';
  if (asked === '') return { default: 'sqlite', each: STORES };
  const store = STORES.find((it) => it === asked);
  if (store === undefined)
    throw new Error(`HOLDFAST_TEST_STORE is "${asked}"; expected ${STORES.join(' or ')}.`);
  return { default: store, each: [store] };
}

/** describe() once per store. Where no MongoDB server is to be had, see mongo-suite.ts. Await it at the top of a file. */
export async function onEachStore(body: (store: Store) => void): Promise<void> {
  const { each } = storesOfRun(process.env);
  for (const store of each) {
    const missing = store === 'mongo' ? await mongoMissing(each.length === 1) : undefined;
    const reason = missing === undefined ? '' : ` (skipped: ${missing})`;
    describe.skipIf(missing !== undefined)(`on ${store}${reason}`, () => {
      body(store);
    });
  }
}

/** Who asked for MongoDB by name gets it or a failure. */
async function mongoMissing(wasAskedFor: boolean): Promise<string | undefined> {
  try {
    await (await mongoServer()).close();
    return undefined;
  } catch (error) {
    if (wasAskedFor || !mayBeSkipped(error, {}, process.env)) throw error;
    return error.message;
  }
}
