/** Appends on MongoDB: what the journal costs over the bare driver that writes the same bytes on the same server. */
import { type Bench, withMongo } from '../mongo-log.ts';
import type { Figure, Row, RunOptions } from '../row.ts';
import { byTurns } from '../turns.ts';

const SESSIONS = 200;
/** Appends at once, each to another session. */
const WIDTH = 200;

export const mongoAppend: Row = {
  name: 'mongo-append',
  measures:
    'One event per append on MongoDB, in process. Ours: journal.append, one at a time or 200 at once over 200 sessions. ' +
    'Reference: the bare driver, insertOne (majority, journaled) of the same body, one at a time or 200 at once; and ' +
    'insertMany of 200.',
  run: (options) => withMongo((bench) => measureAll(options, bench)),
};

async function measureAll({ runs, quick, say }: RunOptions, bench: Bench): Promise<readonly Figure[]> {
  const { name, isMongod } = bench.server;
  const [ones, count] = isMongod && !quick ? [500, 10_000] : [100, 600];
  say(`${name}: ${ones} appends one after the other, ${count} of them ${WIDTH} at once`);
  const [ours, bare] = [await bench.ours(), await bench.bare()];
  await ours.ask('start', SESSIONS);
  await bare.ask('start', SESSIONS);
  const single = await byTurns(
    runs,
    () => ours.ask('one', ones),
    () => bare.ask('one', ones),
  );
  const load = { count, width: WIDTH };
  const many = await byTurns(
    runs,
    async () => count / (await ours.ask('many', load)),
    async () => count / (await bare.ask('many', load)),
  );
  const grouped = await byTurns(
    runs,
    async () => count / (await ours.ask('grouped', load)),
    async () => count / (await bare.ask('grouped', load)),
  );
  return [
    { label: `one append at a time, p50, ${name}`, unit: 'ms', ...single },
    { label: `${WIDTH} at once over ${SESSIONS} sessions, by insertOne`, unit: 'appends/s', ...many },
    { label: 'the same, by insertMany of 200', unit: 'appends/s', ...grouped },
  ];
}
