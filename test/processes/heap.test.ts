/** Memory that is not used any more. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { HEAP_FLAGS } from '../../src/processes/heap.ts';

const HEAP = join(import.meta.dirname, '../../src/processes/heap.ts');

/** The most that the heap of a process was, in MiB, which holds some 100 MiB and lets go of ten times as much. */
function peakMib(prepare: string): number {
  const script = `
    ${prepare}
    const held = [];
    let peak = 0;
    for (let at = 0; at < 40_000; at += 1) {
      held[at % 4_000] = Buffer.alloc(30_000, 'x').toString('latin1');
      if (at % 100 !== 0) continue;
      peak = Math.max(peak, process.memoryUsage().heapTotal);
      await new Promise((resolve) => setImmediate(resolve));
    }
    console.log(peak / 2 ** 20);`;
  // A heap of this size at most, since what V8 allows goes by the machine's memory.
  const args = ['--max-old-space-size=4096', '--input-type=module', '--eval', script];
  return Number(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

it('the server is started with the flags that keep what was just made small (proves HEAP-1)', () => {
  const { scripts } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'));
  for (const name of ['start', 'dev']) expect(scripts[name]).toContain(`node ${HEAP_FLAGS.join(' ')} `);

  const script = `
    import { getHeapSpaceStatistics } from 'node:v8';
    const held = [];
    for (let at = 0; at < 2_000_000; at += 1) held[at % 200_000] = { at, list: [at] };
    console.log(getHeapSpaceStatistics().find((one) => one.space_name === 'new_space').space_size / 2 ** 20);`;
  const newSpaceMib = (flags: readonly string[]): number =>
    Number(
      execFileSync(process.execPath, [...flags, '--input-type=module', '--eval', script], {
        encoding: 'utf8',
      }),
    );
  expect(newSpaceMib(HEAP_FLAGS)).toBeLessThanOrEqual(32);
});

it('is given back before it is much of what is used (proves HEAP-1)', () => {
  const small = peakMib(`import { keepHeapSmall } from ${JSON.stringify(HEAP)}; keepHeapSmall();`);
  const asItComes = peakMib('');
  expect(small).toBeGreaterThan(100);
  expect(small).toBeLessThan(asItComes * 0.8);
});
