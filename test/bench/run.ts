/**
 * `npm run bench [-- [--quick] [row …]]`: runs the rows one after the other and prints one table, for the eye and as markdown.
 * Nothing fails for being slow; the table says what is reached. docs/performance.md tells what each row means.
 */
import { measureMachine } from './machine.ts';
import type { Figure, Row, RunOptions } from './row.ts';
import { appendToSubscriber } from './rows/append-to-subscriber.ts';
import { batchedAppend } from './rows/batched-append.ts';
import { catchUp } from './rows/catch-up.ts';
import { deletion } from './rows/deletion.ts';
import { durableAppend } from './rows/durable-append.ts';
import { fairStart, mongoFairStart } from './rows/fair-start.ts';
import { followers } from './rows/followers.ts';
import { mongoAppend } from './rows/mongo-append.ts';
import { mongoFollower } from './rows/mongo-follower.ts';
import { mongoReplay } from './rows/mongo-replay.ts';
import { mongoResume } from './rows/mongo-resume.ts';
import { resume } from './rows/resume.ts';
import { start } from './rows/start.ts';
import { wake } from './rows/wake.ts';
import { columns, machineLine, markdown } from './table.ts';

const ROWS: readonly Row[] = [
  durableAppend,
  batchedAppend,
  appendToSubscriber,
  catchUp,
  followers,
  resume,
  start,
  fairStart,
  wake,
  deletion,
  mongoAppend,
  mongoReplay,
  mongoFollower,
  mongoResume,
  mongoFairStart,
];
/** Fewer say little: the machine does other things now and then. */
const RUNS = 5;
const RUNS_QUICK = 2;
const EXIT_USAGE = 64;

async function main(): Promise<void> {
  const given = process.argv.slice(2);
  const quick = given.includes('--quick');
  const names = given.filter((argument) => argument !== '--quick');
  const unknown = names.filter((name) => !ROWS.some((row) => row.name === name));
  if (unknown.length > 0) {
    console.error(`no row ${unknown.join(', ')}; there are: ${ROWS.map((row) => row.name).join(', ')}`);
    process.exit(EXIT_USAGE);
  }
  const chosen = names.length === 0 ? ROWS : ROWS.filter((row) => names.includes(row.name));
  const options: RunOptions = {
    runs: quick ? RUNS_QUICK : RUNS,
    quick,
    say: (line) => console.error(`    ${line}`),
  };

  const machine = machineLine(await measureMachine());
  console.error(machine);
  const startedAt = performance.now();
  const figures: Figure[] = [];
  let failed = 0;
  for (const row of chosen) {
    console.error(`${row.name}: ${row.measures}`);
    try {
      figures.push(...(await row.run(options)));
    } catch (error) {
      failed += 1;
      console.error(`${row.name} could not be measured:`, error);
    }
  }
  const minutes = (performance.now() - startedAt) / 60_000;
  console.error(`\n${columns(figures)}\n`);
  console.log(
    `${markdown(figures)}\n\n${machine}; ${options.runs} runs of each, ${minutes.toFixed(1)} minutes.`,
  );
  if (failed > 0) process.exitCode = 1;
}

await main();
