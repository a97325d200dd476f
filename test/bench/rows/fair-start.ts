/**
 * What one organisation's thousand sessions do to another's start. The whole product on each store; the other one starts a session every
 * two seconds or so and waits until it is over, first on the idle server, then while the thousand wait and run.
 */
import { eventually } from '../../support/eventually.ts';
import { mongoServer } from '../../support/mongo.ts';
import { secondOrganisation } from '../../support/second-organisation.ts';
import { SPARES_KEPT } from '../../../src/supervisor/limit.ts';
import type { Store } from '../../support/stores.ts';
import { World } from '../../support/world.ts';
import { type ModelService, startModelService } from '../model-service.ts';
import { inFlight } from '../ours/holdfast.ts';
import type { Figure, Goal, Row, RunOptions } from '../row.ts';
import { quantile } from '../statistics.ts';
import { BENCH_MODEL, productEnv, settled } from './start.ts';

const CROWD = 1_000;
const CROWD_QUICK = 200;
/** The crowd is started by so many at once. */
const WIDTH = 20;
const STARTS_PER_RUN = 10;
/** From the end of a session of the other organisation to its next start: it comes now and then, and a spare takes a second to come up. */
const PAUSE_MS = 1_500;
const OTHER_MODEL = 'claude-bench-other';
const GOAL: Goal = { kind: 'ratio', atMost: 2 };

export const fairStart: Row = {
  name: 'fair-start',
  measures:
    'From sending startSession until the model service has the request, for one organisation while another has 1,000 sessions that wait and ' +
    'run; the same on the idle server before it stands beside it.',
  run: (options) => withModel((model) => measureOn('sqlite', { name: 'SQLite', goal: GOAL }, model, options)),
};

export const mongoFairStart: Row = {
  name: 'mongo-fair-start',
  measures: 'The row fair-start on MongoDB.',
  run: async (options) => {
    const { name, goal } = await serverOfRun();
    return withModel((model) => measureOn('mongo', { name, goal }, model, options));
  },
};

async function withModel<T>(work: (model: ModelService) => Promise<T>): Promise<T> {
  const model = await startModelService();
  try {
    return await work(model);
  } finally {
    await model.close();
  }
}

/** As the table names it, and whether it is one whose figure can be judged. */
async function serverOfRun(): Promise<{ readonly name: string; readonly goal: Goal | undefined }> {
  const server = await mongoServer();
  await server.close();
  return { name: server.name, goal: server.isMongod ? GOAL : undefined };
}

async function measureOn(
  store: Store,
  { name, goal }: { readonly name: string; readonly goal: Goal | undefined },
  model: ModelService,
  { runs, quick, say }: RunOptions,
): Promise<readonly Figure[]> {
  const world = await World.open(productEnv(model, 1), store);
  try {
    const other = await secondOrganisation(world);
    await world.createAgent({ name: 'crowd', model: BENCH_MODEL });
    await world.createAgent(
      { name: 'other', model: `anthropic/${OTHER_MODEL}`, key: 'key-of-the-benchmark-too' },
      other,
    );
    await settled(world, 1 + SPARES_KEPT); // where organisations share a server, some more are kept (ADMIT-5)
    await startsOf(world, model, other, 2); // warm up
    say(`${name}: the idle server`);
    const idle = await startsOf(world, model, other, runs * STARTS_PER_RUN);
    say(`${name}: beside a crowd`);
    const stop = new AbortController();
    const crowd = inFlight(WIDTH, quick ? CROWD_QUICK : CROWD, async () => {
      if (stop.signal.aborted) return;
      await world.startSession({ agent: 'crowd', input: 'Say that you are done.' });
    });
    const beside = await startsOf(world, model, other, runs * STARTS_PER_RUN);
    stop.abort();
    await crowd;
    const { sessions } = await world.graphql('{ sessions(first: 1, status: QUEUED) { nodes { id } } }');
    if (sessions.nodes.length === 0) say(`${name}: the crowd was served before the end of this row`);
    return [0.5, 0.99].map((share) => ({
      label: `start to model call beside ${CROWD.toLocaleString('en')} sessions of another organisation, p${share * 100}, ${name}`,
      unit: 'ms',
      ours: [quantile(beside, share)],
      reference: [quantile(idle, share)],
      goal: share === 0.5 ? undefined : goal,
    }));
  } finally {
    await world.close();
  }
}

/** How long each of so many took, sorted. */
async function startsOf(
  world: World,
  model: ModelService,
  bearer: string,
  count: number,
): Promise<readonly number[]> {
  const waits: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const call = model.nextCall(OTHER_MODEL);
    const from = performance.now();
    const sessionId = await world.startSession({ agent: 'other', input: 'Say that you are done.' }, bearer);
    waits.push((await call) - from);
    await eventually('the session is over', async () => {
      const { status } = await world.session(sessionId, 'status', bearer);
      return status === 'IDLE';
    });
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return waits.toSorted((a, b) => a - b);
}
