/** npm run simulate -- [--seeds 10000] [--seed N] [--from N] [--skew-minutes 10] [--strict] [--story] */
import { parseArgs } from 'node:util';
import { runHistory } from './history.ts';
import { onSqlite } from './store-kinds.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    skew: { type: 'string', default: '0' },
    strict: { type: 'boolean', default: false },
  },
});
const from = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
const rules = new Map<string, number[]>();
const seen = new Map<string, number>();
let steps = 0,
  events = 0,
  sessions = 0,
  runs = 0,
  cut = 0,
  virt = 0;
const t0 = performance.now();
for (let seed = from; seed < from + count; seed += 1) {
  const h = await runHistory({
    seed,
    store: onSqlite,
    skewMsMax: Number(values.skew) * 60000,
    ...(values.strict ? { known: [] } : {}),
  });
  steps += h.world.step;
  events += h.events;
  sessions += h.sessions;
  runs += h.toolRuns;
  cut += h.log.turnsCutOff;
  virt += h.virtualMs;
  for (const [k, v] of h.log.seen) seen.set(k, (seen.get(k) ?? 0) + v);
  if (h.world.violation) {
    const r = h.world.violation.rule;
    rules.set(r, [...(rules.get(r) ?? []), seed]);
    if (count === 1) {
      process.stdout.write(h.world.story(Number(process.env.LINES ?? 120)) + '\n');
      process.stdout.write(`seed ${seed} step ${h.world.step}: ${h.world.violation.message}\n`);
    }
  } else if (count === 1 && process.env.LINES)
    process.stdout.write(h.world.story(Number(process.env.LINES)) + '\n');
  if (count === 1) process.stdout.write(`hash ${h.world.storyHash}\n`);
}
process.stdout.write(
  `${count} histories in ${((performance.now() - t0) / 1000).toFixed(1)} s, steps ${steps} events ${events} sessions ${sessions} toolruns ${runs} cutoff ${cut} virtual h ${(virt / 3.6e6).toFixed(1)}\n`,
);
for (const [r, s] of rules) process.stdout.write(`${r}: ${s.length}: ${s.slice(0, 10).join(' ')}\n`);
for (const [r, s] of seen) process.stdout.write(`known ${r}: ${s}\n`);
