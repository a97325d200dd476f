/**
 * From a session's start, or a message to one that hibernates, until the model service sees the first call. The whole
 * product: `npm start` as a user has it, brains in their sandbox; only the model service is the benchmark's own.
 */
import { eventually } from '../../support/eventually.ts';
import { World } from '../../support/world.ts';
import { measureMachine } from '../machine.ts';
import { type ModelService, startModelService } from '../model-service.ts';
import { childrenThatRun, cpuTicks } from '../process-tree.ts';
import type { Figure, Row, RunOptions } from '../row.ts';

/** The tree has done nothing for so long: a spare that was starting is ready. */
const QUIET_MS = 600;
/** A tick is 10 ms of CPU; heartbeats and sweeps use less than this in QUIET_MS. */
const QUIET_TICKS = 2;
const BRAIN = 'brain.ts';
export const BENCH_MODEL = 'anthropic/claude-bench';

export const start: Row = {
  name: 'start',
  measures:
    'From the answer to startSession (or sendMessage) until the model service has the request; `from the request` counts ' +
    'from sending the mutation. Reference: a bare `node -e 0` on this machine, shown for its speed and not judged.',
  run: measureAll,
};

async function measureAll({ runs, say }: RunOptions): Promise<readonly Figure[]> {
  const model = await startModelService();
  try {
    const { nodeStartMs } = await measureMachine();
    const reference = [nodeStartMs];
    say('with a spare brain');
    const spare = await inWorld(model, 1, (world) => starts(world, model, 1, runs));
    say('without');
    const fresh = await inWorld(model, 0, (world) => starts(world, model, 0, runs));
    say('after hibernation');
    const woken = await inWorld(model, 1, (world) => wakes(world, model, runs));
    const figures = (label: string, waits: readonly Wait[], atMost: number): readonly Figure[] => [
      {
        label,
        unit: 'ms',
        ours: waits.map(({ afterAnswer }) => afterAnswer),
        reference,
        goal: { kind: 'figure', atMost },
      },
      {
        label: 'the same, from the request',
        unit: 'ms',
        ours: waits.map(({ afterRequest }) => afterRequest),
      },
    ];
    return [
      ...figures('start to first model call, spare brain', spare, 50),
      ...figures('start to first model call, no spare', fresh, 400),
      ...figures('message after hibernation to model call', woken, 100),
    ];
  } finally {
    await model.close();
  }
}

interface Wait {
  readonly afterAnswer: number;
  readonly afterRequest: number;
}

async function inWorld<T>(
  model: ModelService,
  spares: number,
  work: (world: World) => Promise<T>,
): Promise<T> {
  const world = await World.open(productEnv(model, spares));
  try {
    await world.createAgent({ name: 'bench', model: BENCH_MODEL });
    await settled(world, spares);
    return await work(world);
  } finally {
    await world.close();
  }
}

/** Of the product as a user has it, with the benchmark's model service. */
export function productEnv(model: ModelService, spares: number): Readonly<Record<string, string>> {
  return {
    NODE_ENV: 'production',
    ANTHROPIC_BASE_URL: model.url,
    ANTHROPIC_API_KEY: 'key-of-the-benchmark',
    HOLDFAST_SPARES: String(spares),
    HOLDFAST_IDLE_SECONDS: '0',
    HOLDFAST_LOG: 'warn',
  };
}

async function starts(
  world: World,
  model: ModelService,
  spares: number,
  runs: number,
): Promise<readonly Wait[]> {
  const waits: Wait[] = [];
  for (let index = 0; index <= runs; index += 1) {
    let sessionId = '';
    const wait = await timed(model, async () => {
      sessionId = await world.startSession({ agent: 'bench', input: 'Say that you are done.' });
    });
    if (index > 0) waits.push(wait); // the first warms up
    await asleep(world, sessionId);
    await settled(world, spares);
  }
  return waits;
}

async function wakes(world: World, model: ModelService, runs: number): Promise<readonly Wait[]> {
  const sessionId = await world.startSession({ agent: 'bench', input: 'Say that you are done.' });
  const waits: Wait[] = [];
  for (let index = 0; index <= runs; index += 1) {
    await asleep(world, sessionId);
    await settled(world, 1);
    const wait = await timed(model, () => world.send(sessionId, 'Again, please.'));
    if (index > 0) waits.push(wait);
  }
  await asleep(world, sessionId);
  return waits;
}

export async function timed(model: ModelService, ask: () => Promise<void>): Promise<Wait> {
  const call = model.nextCall();
  const from = performance.now();
  await ask();
  const answered = performance.now();
  const arrived = await call;
  return { afterAnswer: arrived - answered, afterRequest: arrived - from };
}

export async function asleep(world: World, sessionId: string): Promise<void> {
  await eventually('the session hibernates', async () => {
    const { status, hibernated } = await world.session(sessionId);
    return status === 'IDLE' && hibernated;
  });
}

/** As many brains are there as are kept as spares, and nothing in the whole tree is working. */
export async function settled(world: World, spares: number): Promise<void> {
  const { serverPid } = world;
  await eventually('the server has nothing to do', async () => {
    const [brains, before] = [childrenThatRun(serverPid, BRAIN).join(), cpuTicks(serverPid)];
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    const after = childrenThatRun(serverPid, BRAIN);
    return after.length === spares && after.join() === brains && cpuTicks(serverPid) - before <= QUIET_TICKS;
  });
}
