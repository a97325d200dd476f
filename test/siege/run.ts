/**
 * `npm run siege`: hostile use of a server that it starts itself, and what the server was like meanwhile. docs/siege.md
 *
 *   --minutes 10          how long, all kinds together
 *   --seed 42             the same actions again; chosen and said when left out
 *   --kinds a,b           these only
 *   --from 17             begin with this action: one that a report names
 *   --actions 1           at most so many of each kind
 */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { KINDS } from './kinds.ts';
import { artifactOf, hasFailed, refusalsOf, tableOf } from './report.ts';
import { Siege } from './siege.ts';

const EXIT_USAGE = 64;
const QUIET_MS = 8_000;
const SEEDS = 1_000_000;
const SIZE = { longLog: 900, largeBodies: 110, hogMib: 9 * 1024, callMsMax: 60_000 };

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * SEEDS)) },
    kinds: { type: 'string' },
    from: { type: 'string', default: '0' },
    actions: { type: 'string' },
  },
});
const names = values.kinds?.split(',').map((name) => name.trim()) ?? KINDS.map(({ name }) => name);
const kinds = KINDS.filter(({ name }) => names.includes(name));
const unknown = names.filter((name) => !kinds.some((kind) => kind.name === name));
const [minutes, seed, from, actions] = [
  values.minutes,
  values.seed,
  values.from,
  values.actions ?? 'Infinity',
].map(Number);
if (unknown.length > 0 || ![minutes, seed, from, actions].every((it) => it !== undefined && it >= 0)) {
  say(
    `no kind ${unknown.join(', ')}; there are: ${KINDS.map(({ name }) => name).join(', ')}. The rest takes numbers.`,
  );
  process.exit(EXIT_USAGE);
}

say(
  `seed ${seed}: npm run siege -- --seed ${seed}${values.kinds === undefined ? '' : ` --kinds "${values.kinds}"`}`,
);
const report = await new Siege({
  seed: seed ?? 0,
  kinds,
  size: SIZE,
  msPerKind: ((minutes ?? 0) * 60_000) / kinds.length,
  quietMs: QUIET_MS,
  actionsMax: () => actions ?? Infinity,
  from,
  freshAfterFailure: true,
  givesWay: true,
  say,
}).run();
say(`\n${tableOf(report)}\n\n${refusalsOf(report)}`);
const artifact = artifactOf(report, seed ?? 0);
if (artifact !== undefined) {
  const path = join(tmpdir(), `holdfast-siege-${seed}-${process.pid}.txt`);
  writeFileSync(path, artifact);
  say(`\nWhat failed, with its last actions: ${path}`);
}
process.exit(hasFailed(report) ? 1 : 0);

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
