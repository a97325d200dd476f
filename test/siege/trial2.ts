import { join } from 'node:path';
import { Child } from '../bench/child.ts';
import { Besieged } from './besieged.ts';
import { Ground } from './ground.ts';
import { KeyWatch } from './key-watch.ts';
import { MISDEEDS } from './model-script.ts';
import { Probe } from './probe.ts';
import { readFileSync } from 'node:fs';
const model: any = await Child.start(join(import.meta.dirname, 'model-service.ts'));
const server = new Besieged(
  'root-key-of-the-siege-0123456789',
  `http://127.0.0.1:${await model.ask('port')}`,
);
await server.start();
const ground = new Ground(
  server.port,
  server.key,
  'sk-ant-CanaryOfTheSiege7xZ9mP4vL2nR8tB5wJ3kQ',
  new KeyWatch('sk-ant-CanaryOfTheSiege7xZ9mP4vL2nR8tB5wJ3kQ'),
);
await ground.prepare({ longLog: 1, largeBodies: 1, hogMib: 100 });
let max = 0;
const probe = new Probe(server.port, '/healthz', 10, ({ from, to }) => (max = Math.max(max, to - from)));
void probe.run(new AbortController().signal);
const rss = () =>
  Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'latin1'))?.[1]) / 1024);
const cpu = () => {
  const f = readFileSync(`/proc/${server.pid}/stat`, 'latin1').split(') ')[1]!.split(' ');
  return (Number(f[11]) + Number(f[12])) * 10;
};
for (const how of process.argv.length > 2 ? (process.argv.slice(2) as any) : MISDEEDS) {
  max = 0;
  const c = cpu();
  const t = performance.now();
  const end = await ground.turn({ kind: 'misbehave', how }, 15_000).catch((e) => ({ outcome: e.message }));
  process.stdout.write(
    `${how}: ${end.outcome} ${Math.round(performance.now() - t)} ms, deaf ${Math.round(max)} ms, cpu ${cpu() - c} ms, rss ${rss()}\n`,
  );
  await new Promise((r) => setTimeout(r, 500));
}
await server.close();
await model.stop();
process.exit();
