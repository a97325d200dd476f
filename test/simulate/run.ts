/**
 * `npm run simulate`: plays histories and says what did not hold. docs/adr/0017-simulation.md
 *
 *   --seeds 1000          how many histories, from --from (default 1)
 *   --seed 42             this one, with its story
 *   --store mongo         over the MongoDB adapter, each beside the same history over SQLite; much slower
 *   --skew-minutes 10     machines whose clocks differ by up to so much, and are set anew
 */
import { parseArgs } from 'node:util';
import { mongoServer } from '../support/mongo.ts';
import { type History, type HistoryOptions, runHistory } from './history.ts';
import { onMongo, onSqlite } from './store-kinds.ts';
import { storyOf, Tally } from './tally.ts';

const SIGN_OF_LIFE = 500;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    store: { type: 'string', default: 'sqlite' },
    'skew-minutes': { type: 'string', default: '0' },
  },
});
const from = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
const skewMinutes = Number(values['skew-minutes']);
if (![from, count, skewMinutes].every((it) => Number.isInteger(it) && it >= 0))
  throw new Error('--seeds, --from, --seed and --skew-minutes take whole numbers.');
if (!['sqlite', 'mongo'].includes(values.store)) throw new Error('--store takes sqlite or mongo.');

const again = `npm run simulate --${skewMinutes > 0 ? ` --skew-minutes ${skewMinutes}` : ''}`;
const mongo = values.store === 'mongo' ? await mongoServer() : undefined;
const tally = new Tally();
for (let seed = from; seed < from + count; seed += 1) {
  const history = await played(seed);
  tally.add(history);
  const story = storyOf(history, again);
  if (story !== undefined) say(story);
  else if (values.seed !== undefined) say(history.world.story(Infinity));
  if (tally.histories % SIGN_OF_LIFE === 0) say(`… ${tally.histories} of ${count}`);
}
say(String(tally));
await mongo?.close();
process.exitCode = tally.violations.size > 0 ? 1 : 0;

async function played(seed: number): Promise<History> {
  const options: HistoryOptions = {
    seed,
    store: onSqlite,
    skewMsMax: skewMinutes * 60_000,
    isStill: mongo !== undefined,
  };
  const history = await runHistory(options);
  if (mongo === undefined) return history;
  const other = await runHistory({ ...options, store: onMongo(() => mongo.uri()) });
  if (JSON.stringify(other.canonical) !== JSON.stringify(history.canonical))
    other.world.violate('stores agree', 'SQLite and MongoDB end in different logs or records');
  return other;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
