/** Who remembers calls, over hands that come and go: what was started is not run again, and what was not asked for before is run. */
import { beforeEach, expect, it } from 'vitest';
import { HandsLost } from '../../src/hands/faults.ts';
import { KeptCalls } from '../../src/hands/kept-calls.ts';
import type { Kept } from '../../src/hands/kept-results.ts';
import { CALLS_KEPT_MAX } from '../../src/hands/limit.ts';
import type { ToolResult } from '../../src/hands/wire.ts';

const OK: ToolResult = { outcome: 'ok', output: 'done', durationMs: 1 };
const BEFORE: ToolResult = { outcome: 'ok', output: 'before', durationMs: 1 };
const call = (callId: string, inherited = false) => ({
  callId,
  tool: 'do',
  input: {},
  timeoutMs: 1_000,
  inherited,
});

let kept: Map<string, Kept>;
let did: string[];
let complaints: string[];
let calls: KeptCalls;
let perform: () => Promise<ToolResult>;
/** Hands that begin with what was kept. */
const begin = (isWhole = true): KeptCalls =>
  new KeptCalls({
    isWhole,
    complain: (message) => complaints.push(message),
    kept: {
      find: async (callId) => kept.get(callId) ?? { kind: 'none' },
      start: async (callId) => {
        did.push('start');
        kept.set(callId, { kind: 'started' });
      },
      settle: async (callId, result) => {
        did.push('settle');
        kept.set(callId, { kind: 'done', result });
      },
    },
  });
const run = (callId: string, inherited = false): Promise<ToolResult> =>
  calls.run(call(callId, inherited), () => perform());

beforeEach(() => {
  kept = new Map();
  did = [];
  complaints = [];
  perform = async () => {
    did.push('run');
    return OK;
  };
  calls = begin();
});

it('marks a call before it is sent and keeps its result before it is told', async () => {
  await run('a').then(() => did.push('told'));

  expect(did).toEqual(['start', 'run', 'settle', 'told']);
});

it('HANDS-1: a call asked again while it runs joins it, and later gets the kept result', async () => {
  expect(await Promise.all([run('a'), run('a')])).toEqual([OK, OK]);
  expect(await run('a')).toEqual(OK);

  expect(did.filter((what) => what === 'run')).toHaveLength(1);
});

it('HANDS-1: an inherited call is answered with what was kept, and unknown when it was only started', async () => {
  await run('done');
  perform = () => Promise.reject(new HandsLost('gone'));
  await expect(run('cut')).rejects.toThrow(HandsLost);
  expect((await run('cut')).outcome).toBe('unknown');
  calls = begin();

  expect(await run('done', true)).toEqual(OK);
  expect((await run('cut', true)).outcome).toBe('unknown');
});

it('HANDS-1: where calls may be missing, what is asked for the first time is run, and no inherited call', async () => {
  kept.set('known', { kind: 'done', result: BEFORE });
  calls = begin(false);

  expect(await run('first')).toEqual(OK);
  expect(await run('known', true)).toEqual(BEFORE);
  expect((await run('inherited', true)).outcome).toBe('unknown');
  expect(did.filter((what) => what === 'run')).toHaveLength(1);
  calls = begin();
  expect(await run('other', true)).toEqual(OK);
});

it.each<Kept>([{ kind: 'done', result: BEFORE }, { kind: 'started' }])(
  'runs what is asked for the first time, whatever lies in its place: %o (proves HANDS-6)',
  async (planted) => {
    kept.set('to-come', planted);

    expect(await run('to-come')).toEqual(OK);
    expect(kept.get('to-come')).toEqual({ kind: 'done', result: OK });
  },
);

it('runs nothing that it could not mark', async () => {
  kept.get = () => {
    throw new Error('disk');
  };

  expect(await run('a', true)).toMatchObject({ outcome: 'failed' });
  expect(did).toEqual([]);
  expect(complaints).toEqual(['call a could not be recorded']);
});

it('tells a result that it could not keep', async () => {
  kept.set = () => {
    if (did.includes('settle')) throw new Error('disk');
    return kept;
  };

  expect(await run('a')).toEqual(OK);
  expect(complaints).toEqual(['the result of a could not be kept']);
});

it('is settled when nothing is under way any more', async () => {
  const held = Promise.withResolvers<ToolResult>();
  perform = () => held.promise;
  const running = run('a');
  const settled = calls.settled().then(() => did.push('settled'));
  held.resolve(OK);
  await Promise.all([running, settled]);

  expect(did).toEqual(['start', 'settle', 'settled']);
});

it('knows its own last calls without being told that they were asked for before', async () => {
  for (let n = 0; n < CALLS_KEPT_MAX; n += 1) await run(`c${n}`);
  did = [];
  expect(await run('c0')).toEqual(OK);

  expect(did).toEqual([]);
});
