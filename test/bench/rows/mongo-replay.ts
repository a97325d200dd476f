/** A log on MongoDB read from its beginning: pages of ours against a bare find of as many events per page. */
import { PAGE_EVENTS_MAX } from '../../../src/kernel/limit.ts';
import { type Bench, FILL_EVENTS, withMongo } from '../mongo-log.ts';
import type { Figure, Row, RunOptions } from '../row.ts';
import { byTurns } from '../turns.ts';

export const mongoReplay: Row = {
  name: 'mongo-replay',
  measures:
    `A whole log in pages of ${PAGE_EVENTS_MAX} events. Ours: journal.read of a log written by appends of ${FILL_EVENTS} events. ` +
    'Reference: one document per event, a find over a range of _id per page. SecantusDB scans for such a range, on both sides.',
  run: (options) => withMongo((bench) => measureAll(options, bench)),
};

async function measureAll({ runs, quick, say }: RunOptions, bench: Bench): Promise<readonly Figure[]> {
  const { name, isMongod } = bench.server;
  const count = isMongod && !quick ? 30_000 : 900;
  say(`${name}: filling a log with ${count.toLocaleString('en')} events`);
  const [ours, bare] = [await bench.ours(), await bench.bare()];
  await ours.ask('fill', count);
  await bare.ask('fill', count);
  const measured = await byTurns(
    runs,
    async () => count / (await ours.ask('replay', count)),
    async () => count / (await bare.ask('replay', count)),
  );
  return [
    { label: `replay of ${count.toLocaleString('en')} events, ${name}`, unit: 'events/s', ...measured },
  ];
}
