/** Commands could write to the results folder in earlier versions: what is found there is checked before it is told. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { KeptResults } from '../../../src/hands/kept-results.ts';
import { CALLS_KEPT_MAX } from '../../../src/hands/limit.ts';
import { RESULT_LINE_BYTES_MAX, type ToolResult } from '../../../src/hands/wire.ts';
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
  [
    'more bytes than a result has',
    () => writeFileSync(planted('a.json'), Buffer.alloc(RESULT_LINE_BYTES_MAX + 1)),
  ],
  ['a folder', () => mkdirSync(planted('a.json'))],
  ['a link', () => symlinkSync('/dev/zero', planted('a.json'))],
  ['a fifo, without waiting for it', () => void execFileSync('mkfifo', [planted('a.json')])],
  ['a fifo as the mark of its start', () => void execFileSync('mkfifo', [planted('a.started')])],
])('takes a planted result with %s for a call whose result is not known', async (_what, doIt) => {
  if (!_what.includes('mark')) await kept.start('a');
  doIt();

  expect(await kept.find('a')).toEqual({ kind: 'started' });
});

it('takes no result without the mark of its start (HANDS-6)', async () => {
  plant({});

  expect(await kept.find('a')).toEqual({ kind: 'none' });
});

it.each<[string, () => void]>([
  ['a result', () => plant({})],
  ['a folder that is full', () => mkdirSync(planted('a.json/deep'), { recursive: true })],
  ['a link as the mark', () => symlinkSync('/dev/null', planted('a.started'))],
  ['a fifo where it is written', () => void execFileSync('mkfifo', [planted('a.json.tmp')])],
])('starts a call in place of %s', async (_what, doIt) => {
  doIt();
  await kept.start('a');
  expect(await kept.find('a')).toEqual({ kind: 'started' });
  await kept.settle('a', RESULT);

  expect(await kept.find('a')).toEqual({ kind: 'done', result: RESULT });
});

it('keeps the last calls and lets those before them go', async () => {
  const old = Array.from({ length: CALLS_KEPT_MAX * 4 }, (_, n) => planted(`old${n}.started`));
  for (const path of old) writeFileSync(path, '');
  for (const path of old) utimesSync(path, 1, 1);
  writeFileSync(planted('new.started'), '');
  await kept.start('a');

  expect(readdirSync(folder).length).toBeLessThanOrEqual(CALLS_KEPT_MAX * 3 + 1);
  for (const callId of ['new', 'a']) expect(await kept.find(callId)).toEqual({ kind: 'started' });
});

it.each(['../a', '..', 'a/b', ''])('takes no id that is no file name: %j', async (callId) => {
  await expect(kept.start(callId)).rejects.toThrow('a safe file name');
});

it('does not wait for a fifo that was planted where a result is written', async () => {
  await kept.start('a');
  execFileSync('mkfifo', [planted('a.json.tmp')]);

  await expect(kept.settle('a', RESULT)).rejects.toThrow('EEXIST');
});
