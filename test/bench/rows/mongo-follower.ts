/** From an append in one process to a follower in another, over MongoDB. */
import { type Bench, type Side, withMongo } from '../mongo-log.ts';
import type { Figure, Row, RunOptions } from '../row.ts';
import { median } from '../statistics.ts';
import { byTurns } from '../turns.ts';

export const mongoFollower: Row = {
  name: 'mongo-follower',
  measures:
    'One event at a time, from before the append in one process until a follower in another has it. Ours: journal.append and ' +
    'follow, which hear of each other by the live channel. Reference: insertOne and a change stream on that collection.',
  run: (options) => withMongo((bench) => measureAll(options, bench)),
};

async function measureAll({ runs, quick, say }: RunOptions, bench: Bench): Promise<readonly Figure[]> {
  const { name, isMongod } = bench.server;
  const count = isMongod && !quick ? 300 : 50;
  say(`${name}: ${count} events, one after the other`);
  const measured = await byTurns(runs, await waits(bench.ours, count), await waits(bench.bare, count));
  return [{ label: `append to a follower in another process, p50, ${name}`, unit: 'ms', ...measured }];
}

async function waits(start: () => Promise<Side>, count: number): Promise<() => Promise<number>> {
  const [writer, follower] = [await start(), await start()];
  await writer.ask('start', 1);
  await follower.ask('follow', await writer.ask('appended'));
  return async () => {
    const took: number[] = [];
    for (let index = 0; index < count; index += 1) {
      const from = await writer.ask('append');
      took.push((await follower.ask('arrival')) - from);
    }
    return median(took);
  };
}
