/**
 * `npm run verify`: everything that must hold before a change is merged, each step even when one before it failed, so
 * that one run tells all there is to mend. The output of a step is shown only when it fails; the tests, which take
 * longest, come last and are shown as they run.
 */
import { spawnSync } from 'node:child_process';

const STEPS = [
  ['format', 'biome format'],
  ['lint', 'oxlint --type-aware --deny-warnings'],
  ['types', 'tsc -p .'],
  ['schema is fresh', 'node scripts/print-schema.ts --check'],
  ['codegen is fresh', 'graphql-codegen --config codegen.ts --check'],
  ['unused code', 'knip --no-progress'],
  ['tests, the floor plan among them', 'vitest run'],
];

const failed = STEPS.filter(([name, command]) => !step(name, command)).map(([name]) => name);
console.log(failed.length === 0 ? 'verified' : `not verified: ${failed.join('; ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;

function step(name, command) {
  const started = Date.now();
  const shown = command.startsWith('vitest');
  process.stdout.write(shown ? `${name} …\n` : `${name} … `);
  const { status, stdout, stderr } = spawnSync(command, {
    shell: true,
    encoding: 'utf8',
    stdio: ['ignore', ...(shown ? ['inherit', 'inherit'] : ['pipe', 'pipe'])],
  });
  const ok = status === 0;
  const took = `${((Date.now() - started) / 1000).toFixed(1)} s`;
  console.log(shown ? `${name}: ${ok ? 'ok' : 'FAILED'} (${took})` : `${ok ? 'ok' : 'FAILED'} (${took})`);
  if (!ok && !shown) console.log(`${stdout}${stderr}`.trimEnd());
  return ok;
}
