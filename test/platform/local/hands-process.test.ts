/** The control plane's end of the line, with hands that say what the test wants: what they say may come from a command. */
import { spawn } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HandsLost } from '../../../src/hands/faults.ts';
import type { Kept, KeptResults } from '../../../src/hands/kept-results.ts';
import { RESULT_LINE_BYTES_MAX } from '../../../src/hands/wire.ts';
import { HandsProcess } from '../../../src/platform/local/launcher/hands-process.ts';
import { NODE_BINARY } from '../../../src/platform/local/launcher/launch.ts';
import { LaunchFailed } from '../../../src/supervisor/launcher.ts';
import { eventually } from '../../support/eventually.ts';
import { isAlive, kill } from '../../support/processes.ts';

const CALL = { callId: 'call', tool: 'bash', input: {}, timeoutMs: 1_000 };
const GOOD = { outcome: 'failed', output: 'the output', exitCode: 4, durationMs: 12 };
const READY = `console.log('{"kind":"ready"}');`;

let known: Map<string, Kept>;
let hands: HandsProcess | undefined;
beforeEach(() => {
  known = new Map();
  hands = undefined;
});
afterEach(async () => {
  hands?.kill('the test is over');
  await hands?.ended;
});

const kept: KeptResults = {
  find: async (callId) => known.get(callId) ?? { kind: 'none' },
  start: async (callId) => void known.set(callId, { kind: 'started' }),
  settle: async (callId, result) => void known.set(callId, { kind: 'done', result }),
};

/** Hands that run `program`, which has `say(message)` and `onMessage(callback)`. */
async function running(program: string, ...args: readonly string[]): Promise<HandsProcess> {
  const words = `const say = (message) => console.log(JSON.stringify(message));
    const onMessage = (heard) => require('readline').createInterface({ input: process.stdin }).on('line', (line) => heard(JSON.parse(line)));`;
  const child = spawn(NODE_BINARY, ['-e', `${words}${program}`, ...args], { stdio: 'pipe', detached: true });
  hands = await HandsProcess.of(child, { kept, keptIsWhole: true, complain: () => undefined });
  return hands;
}

const answering = (result: object): Promise<HandsProcess> =>
  running(
    `${READY} onMessage(({ callId }) => say({ kind: 'result', callId, result: JSON.parse(process.argv[1]) }))`,
    JSON.stringify(result),
  );

it('takes a result', async () => {
  expect(await (await answering(GOOD)).call(CALL)).toEqual(GOOD);
});

it.each([
  { durationMs: 1.5 },
  { durationMs: -1 },
  { durationMs: 1e300 },
  { exitCode: 1.5 },
  { exitCode: -1 },
])('ends hands that say what the journal would refuse: %o', async (defect) => {
  const started = await answering({ ...GOOD, ...defect });

  await expect(started.call(CALL)).rejects.toThrow(HandsLost);
  expect((await started.ended).signal).toBe('SIGKILL');
});

const RESULT = `{ kind: 'result', callId: 'call', result: ${JSON.stringify(GOOD)} }`;

describe('hands are ended for a reason (proves LINE-1), and the call that is open is lost, when they say', () => {
  it.each([
    ['garbage', `console.log('{"kind"')`, 'no message'],
    ['an empty line', `console.log('')`, 'no message'],
    ['a message that is none', `say({ kind: 'else' })`, 'no message'],
    ['an answer of a call to come', `say({ ...${RESULT}, callId: 'to-come' })`, 'not open'],
    ['a second ready', `say({ kind: 'ready' })`, 'a second time'],
    ['a count that was not asked for', `say({ kind: 'background', count: 0 })`, 'not asked'],
    [
      'a line that is too long',
      `console.log('x'.repeat(${RESULT_LINE_BYTES_MAX + 1}))`,
      'a line of more than',
    ],
    [
      'a line without an end',
      `const more = () => process.stdout.write('x'.repeat(4096), more); more()`,
      'a line of more than',
    ],
    [
      'more than enough on stderr',
      `const more = () => process.stderr.write('x'.repeat(4096) + '\\n', more); more()`,
      'complained more than',
    ],
  ])('%s', async (_what, said, why) => {
    const started = await running(`${READY} onMessage(() => { ${said} })`);

    await expect(started.call(CALL)).rejects.toThrow(why);
    expect(await started.ended).toMatchObject({ signal: 'SIGKILL', why: expect.stringContaining(why) });
    expect(known.get('call')).toEqual({ kind: 'started' });
  });

  it('a result twice: the second ends them, the first counts', async () => {
    const started = await running(`${READY} onMessage(() => { say(${RESULT}); say(${RESULT}) })`);

    expect(await started.call(CALL)).toEqual(GOOD);
    expect((await started.ended).why).toContain('not open');
  });

  it('something before they are ready', async () => {
    await expect(running(`say(${RESULT}); ${READY} onMessage(() => undefined)`)).rejects.toThrow(
      /before it was ready \(they said something before/,
    );
  });
});

it('hears nothing of what comes behind the line that ends them', async () => {
  const started = await running(
    `${READY} onMessage(() => process.stdout.write('no\\n' + JSON.stringify(${RESULT}) + '\\n'))`,
  );

  await expect(started.call(CALL)).rejects.toThrow(HandsLost);
});

it('asks once what runs in the background, however often it is asked', async () => {
  const started = await running(
    `${READY} let asked = 0; onMessage(() => { asked += 1; setTimeout(() => say({ kind: 'background', count: asked }), 50) })`,
  );

  expect(await Promise.all([started.background(), started.background()])).toEqual([1, 1]);
  expect(await started.background()).toBe(2);
});

it('cancels a call also before it is sent', async () => {
  const started = await running(
    `${READY} onMessage(({ kind, callId }) => { if (kind === 'cancel') say({ ...${RESULT}, callId, result: { outcome: 'canceled', output: '', durationMs: 1 } }) })`,
  );
  const result = started.call(CALL);
  started.cancel('call');

  expect((await result).outcome).toBe('canceled');
});

it('ends hands that stand still, and whose pipes somebody else holds', async () => {
  const started = await running(
    `const { pid } = require('child_process').spawn('sleep', ['1000'], { detached: true, stdio: 'inherit' }); console.error(pid); ${READY} onMessage(() => undefined)`,
  );
  process.kill(started.pid, 'SIGSTOP');
  const lost = started.call(CALL).catch((error: unknown) => error);
  started.kill('they stand still');

  expect(await lost).toBeInstanceOf(HandsLost);
  const { stderr } = await started.ended;
  kill(Number(stderr.trim()));
});

it('takes its whole process group with it', async () => {
  const started = await running(
    `console.error(require('child_process').spawn('sleep', ['1000'], { stdio: 'inherit' }).pid); ${READY} onMessage(() => undefined)`,
  );
  started.kill('the end');
  const pid = Number((await started.ended).stderr.trim());

  await eventually('the other is gone', () => !isAlive(pid));
});

it('takes no more than it may from hands that read nothing', async () => {
  const started = await running(`${READY} setInterval(() => undefined, 1000)`);
  const input = { command: 'x'.repeat(7 * 1024 * 1024) };
  const calls = [1, 2, 3, 4, 5, 6].map((n) => started.call({ ...CALL, callId: `c${n}`, input }));
  const ends = await Promise.allSettled(calls);

  expect(ends.map(({ status }) => status)).toEqual(calls.map(() => 'rejected'));
  expect((await started.ended).why).toContain('unread');
});

it('is told from hands that come up when there is no such program', async () => {
  const child = spawn('/nowhere/node', [], { stdio: 'pipe' });

  await expect(
    HandsProcess.of(child, { kept, keptIsWhole: true, complain: () => undefined }),
  ).rejects.toThrow(LaunchFailed);
});
