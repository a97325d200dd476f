/** How calls and hands end, with real processes: deadline, cancel, SIGKILL in mid-call, results kept over it. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HandsLost } from '../../../src/hands/faults.ts';
import { newId, type SessionId } from '../../../src/kernel/id.ts';
import type { Hands } from '../../../src/supervisor/launcher.ts';
import { eventually } from '../../support/eventually.ts';
import { Bench } from '../../support/hands.ts';
import { descendants, isAlive, kill } from '../../support/processes.ts';

let bench: Bench;
let sessionId: SessionId;
let hands: Hands;
beforeEach(async () => {
  bench = await Bench.open();
  sessionId = newId('session');
  hands = await bench.hands(sessionId);
});
afterEach(() => bench.close());

const inWorkspace = (name: string): string => join(bench.workspaceOf(sessionId), name);
const bashCall = (callId: string, command: string, timeoutMs = 30_000) => ({
  callId,
  tool: 'bash',
  input: { command },
  timeoutMs,
});
/** Starts what a rude program starts: a child, a grandchild in a session of its own, one without its environment. */
const FAMILY =
  'sleep 1000 & setsid sleep 1000 & (setsid sh -c "sleep 1000 & sleep 1000" &) ; env -i sleep 1000 & touch begun; sleep 1000';
const sleepers = async (): Promise<string> =>
  (await bench.bash(hands, 'ps -eo args | grep "^sleep" | wc -l')).output.trim();

describe('a call', () => {
  it('ends as timed_out at its deadline, with its output so far, and takes everything it started with it', async () => {
    const result = await hands.call(bashCall('late', `echo so far; ${FAMILY}`, 1_000));

    expect(result.outcome).toBe('timed_out');
    expect(result.output).toBe(
      'so far\n[timed out after 1000 ms: it was ended with everything it had started]',
    );
    expect(await sleepers()).toBe('0');
  });

  it('ends as canceled when it is canceled, and takes everything it started with it', async () => {
    const call = hands.call(bashCall('unwanted', FAMILY));
    await eventually('the command runs', () => existsSync(inWorkspace('begun')));
    hands.cancel('unwanted');

    expect(await call).toMatchObject({ outcome: 'canceled', output: expect.stringContaining('canceled') });
    expect(await sleepers()).toBe('0');
  });

  it('that is stopped lets git take its lock away', async () => {
    const slow =
      'git init -q . && git config filter.slow.clean "touch filtering; sleep 1000" && echo "f filter=slow" > .gitattributes && echo x > f && git add f';
    const call = hands.call(bashCall('git', slow));
    await eventually('git has the lock', () => existsSync(inWorkspace('filtering')));
    expect(existsSync(inWorkspace('.git/index.lock'))).toBe(true);
    hands.cancel('git');

    expect(await call).toMatchObject({ outcome: 'canceled' });
    expect(existsSync(inWorkspace('.git/index.lock'))).toBe(false);
  });

  it('says at its deadline what it had to say when it was asked to end', async () => {
    const result = await hands.call(bashCall('late', 'trap "echo bye; exit" TERM; sleep 1000 & wait', 500));

    expect(result.output).toMatch(/^bye\n\[timed out/);
  });

  it('does not touch what another call started', async () => {
    const other = hands.call(
      bashCall('other', 'touch other; while ! test -e go; do sleep 0.02; done; echo went'),
    );
    await eventually('the other runs', () => existsSync(inWorkspace('other')));
    await hands.call(bashCall('late', FAMILY, 300));
    await bench.bash(hands, 'touch go');

    expect(await other).toMatchObject({ outcome: 'ok', output: 'went\n' });
  });

  it('that is canceled after it ended, or was never made, is no matter', async () => {
    await hands.call(bashCall('done', 'true'));
    hands.cancel('done');
    hands.cancel('never');

    expect((await bench.bash(hands, 'echo on')).output).toBe('on\n');
  });

  it('asked twice at the same time runs once and answers both', async () => {
    const call = bashCall('twice', 'echo run >> runs; echo done');

    expect(await Promise.all([hands.call(call), hands.call(call)])).toMatchObject([
      { output: 'done\n' },
      { output: 'done\n' },
    ]);
    expect(readFileSync(inWorkspace('runs'), 'utf8')).toBe('run\n');
  });

  it('with an input too long for the wire is refused and the hands go on', async () => {
    const result = await bench.tool(hands, 'write', { path: 'x', content: 'x'.repeat(9 * 1024 * 1024) });

    expect(result).toMatchObject({ outcome: 'failed', output: expect.stringContaining('too long') });
    expect((await bench.bash(hands, 'echo on')).output).toBe('on\n');
  });

  it('with an id that is no file name is not run, and leads nowhere', async () => {
    expect((await hands.call(bashCall('../../escape', 'touch run'))).outcome).toBe('failed');
    expect(existsSync(inWorkspace('../../escape.started'))).toBe(false);
    expect(existsSync(inWorkspace('run'))).toBe(false);
  });

  it('finds no place inside where results are kept: none can be planted or denied', async () => {
    const search =
      'ls /run /run/holdfast 2>/dev/null; find / -name "*.started" -not -path "/proc/*" 2>/dev/null';

    expect((await bench.bash(hands, `${search}; true`)).output).not.toMatch(/results|started/);
  });

  it('frozen by its own command ends with its hands, and is unknown; new hands run the next', async () => {
    const freeze = `touch begun; python3 -c "import ctypes; ctypes.CDLL(None).syscall(234, 2, 2, 19)"; sleep 1000`;
    const frozen = hands.call(bashCall('frozen', freeze)).catch((error: unknown) => error);
    await eventually(
      'the hands stand still',
      async () => (await hands.background()) === 0 && existsSync(inWorkspace('begun')),
    );
    hands.kill('they stand still');
    expect(await frozen).toBeInstanceOf(HandsLost);
    expect(await hands.ended).toMatchObject({ why: 'they stand still' });
    hands = await bench.hands(sessionId);

    expect(await hands.call({ ...bashCall('frozen', freeze), inherited: true })).toMatchObject({
      outcome: 'unknown',
    });
    expect((await bench.bash(hands, 'echo on')).output).toBe('on\n');
  });
});

describe('hands that were killed', () => {
  it('are followed by hands for which a result that was planted in an earlier version counts for nothing', async () => {
    const results = inWorkspace('../results');
    const call = bashCall('counted', 'echo run >> runs');
    await hands.call(call);
    const planted = '{"outcome":"ok","output":"planted","durationMs":1}';
    writeFileSync(join(results, 'counted.json'), planted.replace(':1}', ':1.5}'));
    writeFileSync(join(results, 'to-come.json'), planted);
    kill(hands.pid);
    await hands.ended;
    hands = await bench.hands(sessionId);

    expect(await hands.call({ ...call, inherited: true })).toMatchObject({ outcome: 'unknown' });
    expect(readFileSync(inWorkspace('runs'), 'utf8')).toBe('run\n');
    for (const [callId, inherited] of [
      ['to-come', true],
      ['to-come.2', false],
    ] as const) {
      writeFileSync(join(results, `${callId}.json`), planted);
      expect((await hands.call({ ...bashCall(callId, 'echo real'), inherited })).output).toBe('real\n');
    }
  });

  it('leave their results to the next ones, which answer them and run nothing again', async () => {
    const call = bashCall('counted', 'echo run >> runs; echo the result; exit 4');
    const first = await hands.call(call);
    kill(hands.pid);
    await hands.ended;
    hands = await bench.hands(sessionId);

    expect(await hands.call({ ...call, inherited: true })).toEqual(first);
    expect(first).toMatchObject({ outcome: 'failed', exitCode: 4 });
    expect(readFileSync(inWorkspace('runs'), 'utf8')).toBe('run\n');
  });

  it('in the middle of a call reject it; the next ones answer unknown and do not run it again', async () => {
    const call = bashCall('cut', 'echo run >> runs; sleep 1000');
    const lost = hands.call(call).catch((error: unknown) => error);
    await eventually('the command runs', () => readFileSync(inWorkspace('runs'), 'utf8') === 'run\n');
    kill(hands.pid);
    expect(await lost).toBeInstanceOf(HandsLost);
    hands = await bench.hands(sessionId);

    for (let n = 0; n < 2; n += 1)
      expect(await hands.call({ ...call, inherited: true })).toMatchObject({ outcome: 'unknown' });
    expect(readFileSync(inWorkspace('runs'), 'utf8')).toBe('run\n');
  });

  it('take every process they started with them', async () => {
    const lost = hands.call(bashCall('family', FAMILY)).catch(() => undefined);
    await eventually('the command runs', () => existsSync(inWorkspace('begun')));
    const family = descendants(hands.pid);
    kill(hands.pid);
    await lost;

    expect(family.length).toBeGreaterThan(5);
    await eventually('all have ended', () => family.every((pid) => !isAlive(pid)));
  });

  it('reject calls that come too late', async () => {
    kill(hands.pid);
    expect((await hands.ended).signal).toBe('SIGKILL');

    await expect(hands.call(bashCall('late', 'true'))).rejects.toThrow(HandsLost);
  });
});

describe('hands that are stopped', () => {
  it('kill what runs, keep its result as unknown, and exit well', async () => {
    const call = bashCall('running', FAMILY);
    const running = hands.call(call).catch(() => undefined);
    await eventually('the command runs', () => existsSync(inWorkspace('begun')));
    const family = descendants(hands.pid);
    await hands.stop();
    await running;

    expect(await hands.ended).toMatchObject({ code: 0, signal: null });
    await eventually('all have ended', () => family.every((pid) => !isAlive(pid)));
    hands = await bench.hands(sessionId);
    expect(await hands.call({ ...call, inherited: true })).toMatchObject({
      outcome: 'unknown',
      output: expect.stringContaining('cut off: the server stopped'),
    });
  });

  it('ask everything to end that was left in the background, with and without its environment, in time', async () => {
    const tidy = (name: string): string =>
      `bash -c 'trap "sleep 0.5; touch tidied.${name}; exit" TERM; touch begun.${name}; while :; do sleep 0.05; done' &`;
    const left = `${tidy('plain')} setsid env -i ${tidy('bare')} echo left`;
    await hands.call(bashCall('left', `(${left}) > /dev/null 2>&1`));
    const running = hands.call(bashCall('running', tidy('call').slice(0, -1))).catch(() => undefined);
    const names = ['plain', 'bare', 'call'];
    await eventually('they run', () => names.every((name) => existsSync(inWorkspace(`begun.${name}`))));
    expect(await hands.background()).toBeGreaterThanOrEqual(2);
    await hands.stop();
    await running;

    expect(await hands.ended).toMatchObject({ code: 0, signal: null });
    expect(names.filter((name) => existsSync(inWorkspace(`tidied.${name}`)))).toEqual(names);
  });

  it('leave the workspace as it was, for hands that may run as another user', async () => {
    await bench.bash(
      hands,
      'mkdir -m 700 deep; echo kept > deep/file; chmod 600 deep/file; ln -s nowhere link',
    );
    await hands.stop();
    const others = await bench.hands(newId('session')); // takes the next user id, and would take the old one if it could
    hands = await bench.hands(sessionId);

    expect((await bench.bash(hands, 'cat deep/file && echo more >> deep/file && readlink link')).output).toBe(
      'kept\nnowhere\n',
    );
    await others.stop();
  });

  it('leave a folder, which goes when the session is forgotten, and again is no matter', async () => {
    await hands.call(bashCall('one', 'mkdir -m 0 locked; ln -s / root; echo x > file'));
    await hands.stop();
    await bench.launcher.forget(sessionId);

    expect(existsSync(inWorkspace('..'))).toBe(false);
    await bench.launcher.forget(sessionId);
    hands = await bench.hands(sessionId);
    expect((await bench.bash(hands, 'ls -A')).output).toBe('(no output)');
  });

  it('have left nothing half-written in the results folder', async () => {
    await hands.call(bashCall('one', 'true'));
    const names = readdirSync(inWorkspace('../results'))
      .filter((name) => name.startsWith('one'))
      .toSorted();

    expect(names).toEqual(['one.json', 'one.started']);
  });
});
