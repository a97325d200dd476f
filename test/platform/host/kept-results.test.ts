/** The results folder can be written by the commands of its session: what is found there is checked before it is told. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { KeptResults } from '../../../src/hands/kept-results.ts';
import { LINE_BYTES_MAX, type ToolResult } from '../../../src/hands/wire.ts';
import { keptResultFiles } from '../../../src/platform/host/kept-results.ts';

const RESULT: ToolResult = { outcome: 'failed', output: 'the output', exitCode: 4, durationMs: 12 };

let folder: string;
let kept: KeptResults;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-results-'));
  kept = keptResultFiles(folder);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('knows nothing, then that a call was started, then its result', async () => {
  expect(await kept.find('a')).toEqual({ kind: 'none' });
  await kept.start('a');
  expect(await kept.find('a')).toEqual({ kind: 'started' });
  await kept.settle('a', RESULT);

  expect(await kept.find('a')).toEqual({ kind: 'done', result: RESULT });
});

const planted = (name: string): string => join(folder, name);
const plant = (result: object): void =>
  writeFileSync(planted('a.json'), JSON.stringify({ ...RESULT, ...result }));

it.each<[string, () => void]>([
  ['a duration of 1.5 ms', () => plant({ durationMs: 1.5 })],
  ['a negative duration', () => plant({ durationMs: -1 })],
  ['an exit code of 1.5', () => plant({ exitCode: 1.5 })],
  ['an exit code beyond what can be counted', () => plant({ exitCode: 1e300 })],
  ['an outcome that is none', () => plant({ outcome: 'splendid' })],
  ['no output', () => plant({ output: null })],
  ['no JSON', () => writeFileSync(planted('a.json'), '{"outcome"')],
  ['more bytes than a result has', () => writeFileSync(planted('a.json'), Buffer.alloc(LINE_BYTES_MAX + 1))],
  ['a folder', () => mkdirSync(planted('a.json'))],
  ['a link', () => symlinkSync('/dev/zero', planted('a.json'))],
  ['a fifo, without waiting for it', () => void execFileSync('mkfifo', [planted('a.json')])],
  ['a fifo as the mark of its start', () => void execFileSync('mkfifo', [planted('a.started')])],
])('takes a planted result with %s for a call whose result is not known', async (_what, doIt) => {
  doIt();

  expect(await kept.find('a')).toEqual({ kind: 'started' });
});

it('does not wait for a fifo that was planted where a result is written', async () => {
  await kept.start('a');
  execFileSync('mkfifo', [planted('a.json.tmp')]);

  await expect(kept.settle('a', RESULT)).rejects.toThrow('EEXIST');
});
