/** A message to a session that hibernates: it must not matter how long its log is. The whole product, as in the row `start`. */
import { join } from 'node:path';
import type { SessionId } from '../../../src/kernel/id.ts';
import { World } from '../../support/world.ts';
import { growLog } from '../long-log.ts';
import { type ModelService, startModelService } from '../model-service.ts';
import type { Figure, Row, RunOptions } from '../row.ts';
import { asleep, BENCH_MODEL, productEnv, settled, timed } from './start.ts';

const SHORT = 1_000;
const LENGTHS = [100_000, 1_000_000];
const LENGTHS_QUICK = [10_000];

export const wake: Row = {
  name: 'wake',
  measures:
    'From sendMessage to a session that hibernates until the model service has the request. ' +
    'Reference: the same with a log of 1,000 events.',
  run: measureAll,
};

async function measureAll({ runs, quick, say }: RunOptions): Promise<readonly Figure[]> {
  const model = await startModelService();
  const world = await World.open(productEnv(model, 1), 'sqlite');
  try {
    await world.createAgent({ name: 'bench', model: BENCH_MODEL });
    const lengths = [SHORT, ...(quick ? LENGTHS_QUICK : LENGTHS)];
    const ids: SessionId[] = [];
    for (const _ of lengths)
      ids.push((await world.startSession({ agent: 'bench', input: 'Go.' })) as SessionId);
    for (const id of ids) await asleep(world, id);
    await world.stop();
    for (const [index, length] of lengths.entries()) {
      say(`filling a log with ${length.toLocaleString('en')} events`);
      await growLog(join(world.folder, 'data', 'holdfast.db'), ids[index] as SessionId, length); // one for each length
    }
    await world.start();
    const waits = ids.map((): number[] => []);
    for (let run = 0; run <= runs; run += 1) {
      for (const [index, id] of ids.entries()) {
        const wait = await wakeOf(world, model, id);
        if (run > 0) waits[index]?.push(wait); // the first warms up
      }
    }
    const [reference = [], ...long] = waits;
    return long.map((ours, index) => ({
      label: `message to a session of ${lengths[index + 1]?.toLocaleString('en')} events that hibernates`,
      unit: 'ms',
      ours,
      reference,
      goal: { kind: 'ratio', atMost: 2 },
    }));
  } finally {
    await world.close();
    await model.close();
  }
}

async function wakeOf(world: World, model: ModelService, id: SessionId): Promise<number> {
  await settled(world, 1);
  const { afterRequest } = await timed(model, () => world.send(id, 'Again, please.'));
  await asleep(world, id);
  return afterRequest;
}
