/** A server that was late says so itself, whoever asks it. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { LagFile, makeLagFile, removeLagFile } from './lag-file.ts';

const LATE = `const until = performance.now() + 300; setTimeout(() => { while (performance.now() < until); }, 20); setTimeout(() => undefined, 400);`;

it('of a process whose event loop was held, it is known when and for how long', () => {
  const path = makeLagFile();
  const before = Date.now();
  execFileSync(process.execPath, ['--import', join(import.meta.dirname, 'loop-lag.ts'), '-e', LATE], {
    env: { SIEGE_LAG_FILE: path },
  });
  const file = new LagFile(path);
  const news = file.news();
  const again = file.news();
  file.close();
  removeLagFile(path);

  const longest = news.reduce((most, { from, to }) => Math.max(most, to - from), 0);
  expect(longest).toBeGreaterThan(200);
  expect(news.every(({ from, to }) => from < to && to > before - 1_000 && to <= Date.now() + 1_000)).toBe(
    true,
  );
  expect(again).toEqual([]);
});
