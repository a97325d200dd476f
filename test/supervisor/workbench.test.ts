/** What a call is answered when its workspace cannot be had, and what comes before it and before the end of a turn. */
import { beforeEach, describe, expect, it } from 'vitest';
import { HandsLost } from '../../src/hands/faults.ts';
import { newId } from '../../src/kernel/id.ts';
import type { ToolCall, ToolResult } from '../../src/hands/wire.ts';
import { systemClock as clock } from '../../src/kernel/clock.ts';
import { silentLogger as logger } from '../../src/kernel/logger.ts';
import { type Hands, LaunchFailed, type Launcher } from '../../src/supervisor/launcher.ts';
import {
  END_MS_MAX,
  HANDS_ATTEMPTS_MAX,
  LAUNCH_RETRY_LAST_MS,
  LAST_LOOK_MS,
  SAVE_MS_MAX,
  STOPPED_SAVE_MS_MAX,
} from '../../src/supervisor/limit.ts';
import { Workbench } from '../../src/supervisor/workbench.ts';
import { type FilesAsOf, WorkspaceHeld } from '../../src/hands/workspace-archive.ts';
import { eventually } from '../support/eventually.ts';

it('answers a call that the holder of the workspace may have run with unknown, and any other with why it failed', async () => {
  const sessionId = newId('session');
  const launcher: Launcher = {
    launchBrain: () => Promise.reject(new Error('not here')),
    launchHands: () => Promise.reject(new WorkspaceHeld('other')),
    told: async () => undefined,
    checkpoint: async () => true,
    rest: async () => undefined,
    forget: async () => true,
    sessions: async () => [],
  };
  const workbench = new Workbench({
    launcher,
    log: { told: async () => undefined, callsOf: async () => 'none' as const },
    clock,
    logger,
  });
  workbench.open(sessionId);
  const call = { callId: 'c1', tool: 'bash', input: {}, timeoutMs: 1_000 };

  const inherited = await workbench.call(sessionId, { ...call, inherited: true });
  expect(inherited.outcome).toBe('unknown');
  expect(inherited.output).toContain('look before you do it again');
  const fresh = await workbench.call(sessionId, call);
  expect(fresh.outcome).toBe('failed');
  expect(fresh.output).toContain('with another server (other)');
  await workbench.close();
});

it('answers a call whose hands died with unknown when no others can be had, for it may have run', async () => {
  const sessionId = newId('session');
  let launched = 0;
  const lost: Hands = {
    pid: 1,
    ended: Promise.resolve({ code: null, signal: 'SIGKILL', stderr: '' }),
    filesAsOf: { kind: 'now' },
    call: () => Promise.reject(new HandsLost('signal SIGKILL')),
    cancel: () => undefined,
    kill: () => undefined,
    background: async () => 0,
    stop: async () => undefined,
  };
  const launcher: Launcher = {
    launchBrain: () => Promise.reject(new Error('not here')),
    launchHands: async () => {
      launched += 1;
      if (launched === 1) return lost;
      throw new Error('no memory');
    },
    told: async () => undefined,
    checkpoint: async () => true,
    rest: async () => undefined,
    forget: async () => true,
    sessions: async () => [],
  };
  const log = { told: async () => undefined, callsOf: async () => 'none' as const };
  const workbench = new Workbench({ launcher, log, clock, logger });
  workbench.open(sessionId);
  const call = { callId: 'c1', tool: 'bash', input: {}, timeoutMs: 1_000 };

  expect((await workbench.call(sessionId, call)).outcome).toBe('unknown');
  expect(launched).toBeGreaterThan(1);
  await workbench.close();
});

describe('a workspace', () => {
  const sessionId = newId('session');
  const CALL = { callId: 'c1', tool: 'bash', input: {}, timeoutMs: 1_000 };
  const REVERTED: FilesAsOf = { kind: 'checkpoint', savedAt: 5, place: { seq: 4, turn: 1 }, isCut: false };
  let done: string[];
  let filesAsOf: FilesAsOf;
  let told: () => Promise<void>;
  /** Of the checkpoint that is being made. */
  let finish: (isKept: boolean) => void;
  let sleeps: number[];
  let endWaits: boolean;
  let workbench: Workbench;
  let calls: 'none' | 'ended' | 'open';
  let run: () => Promise<ToolResult>;
  let cancel: () => void;
  let seen: (call: ToolCall) => void;
  let failing: () => Error | undefined;
  let resting: Promise<void> | undefined;
  let isStarting: boolean;
  let starting: Promise<void> | undefined;
  const never = new AbortController().signal;
  beforeEach(() => {
    done = [];
    filesAsOf = { kind: 'now' };
    told = async () => undefined;
    sleeps = [];
    endWaits = false;
    calls = 'none';
    run = async () => ({ outcome: 'ok', output: '', durationMs: 1 });
    cancel = () => undefined;
    seen = () => undefined;
    failing = () => undefined;
    resting = undefined;
    isStarting = false;
    starting = undefined;
    const hands: Hands = {
      pid: 1,
      ended: new Promise(() => undefined),
      get filesAsOf() {
        return filesAsOf;
      },
      call: (call) => {
        seen(call);
        done.push(call.callId);
        return run();
      },
      cancel: () => cancel(),
      kill: (why) => void done.push(`killed: ${why}`),
      background: async () => 0,
      stop: async () => undefined,
    };
    const launcher: Launcher = {
      launchBrain: () => Promise.reject(new Error('not here')),
      launchHands: async () => {
        isStarting = true;
        await starting;
        const failure = failing();
        if (failure !== undefined) throw failure;
        return hands;
      },
      told: async () => void done.push('remembered'),
      checkpoint: (_, { turn }) => {
        done.push(`saving ${turn}`);
        return new Promise((resolve) => {
          finish = resolve;
        });
      },
      rest: async (_, place) => {
        await resting;
        done.push(`rest ${place?.turn ?? 'somewhere'}`);
      },
      forget: async () => true,
      sessions: async () => [],
    };
    const log = {
      callsOf: async () => calls,
      told: async () => {
        await told();
        done.push('told');
      },
    };
    const waiting = {
      now: () => 0,
      monotonicNow: () => 0,
      sleep: async (ms: number, signal?: AbortSignal) => {
        const isOfEnd = [SAVE_MS_MAX, STOPPED_SAVE_MS_MAX, END_MS_MAX].includes(ms);
        if (isOfEnd) sleeps.push(ms);
        if (ms <= LAUNCH_RETRY_LAST_MS && ms !== LAST_LOOK_MS && !isOfEnd) return; // before hands are started again
        if (!isOfEnd || !endWaits) await clock.sleep(60_000, signal);
      },
    };
    workbench = new Workbench({ launcher, log, clock: waiting, logger });
    workbench.open(sessionId);
  });

  it('is kept before a turn ends that used tools, once, and not before one that did not', async () => {
    await workbench.checkpoint(sessionId, { seq: 1, turn: 1 }, 'completed');
    await workbench.call(sessionId, CALL);
    let isOver = false;
    const ends = [1, 2].map(() => workbench.checkpoint(sessionId, { seq: 9, turn: 2 }, 'completed'));
    const over = Promise.all(ends).then(() => (isOver = true));
    await eventually('it is being saved', () => done.includes('saving 2'));
    expect(isOver).toBe(false);
    finish(true);
    await over;
    await workbench.checkpoint(sessionId, { seq: 20, turn: 3 }, 'completed');

    expect(done).toEqual(['c1', 'saving 2']);
    expect(Math.min(...sleeps)).toBe(SAVE_MS_MAX);
  });

  it('does not hold up a turn for ever: the save goes on, and the next one follows it', async () => {
    endWaits = true;
    await workbench.call(sessionId, CALL);
    await workbench.checkpoint(sessionId, { seq: 9, turn: 1 }, 'canceled');
    expect(sleeps).toEqual([STOPPED_SAVE_MS_MAX]);
    await workbench.call(sessionId, { ...CALL, callId: 'c2' });
    await workbench.checkpoint(sessionId, { seq: 19, turn: 2 }, 'completed');
    expect(done).toEqual(['c1', 'saving 1', 'c2']);
    finish(true);

    await eventually('the second is being saved', () => done.includes('saving 2'));
    finish(true);
  });

  it('is kept again when it could not be', async () => {
    await workbench.call(sessionId, CALL);
    const first = workbench.checkpoint(sessionId, { seq: 9, turn: 1 }, 'completed');
    await eventually('it is being saved', () => done.includes('saving 1'));
    finish(false);
    await first;
    const second = workbench.checkpoint(sessionId, { seq: 10, turn: 2 }, 'completed');
    await eventually('it is being saved again', () => done.includes('saving 2'));
    finish(true);
    await second;
  });

  it('with files that are older than the log has no call before the log says so (WORKBENCH-4)', async () => {
    filesAsOf = REVERTED;
    const both = ['c1', 'c2'].map((callId) => workbench.call(sessionId, { ...CALL, callId }));
    await Promise.all(both);
    await workbench.release(sessionId, { seq: 9, turn: 2 });

    expect(done).toEqual(['told', 'remembered', 'c1', 'c2', 'rest 2']);
  });

  it('is brought here before a turn goes on that has used tools elsewhere, and the log is told what is missing (WORKBENCH-4)', async () => {
    filesAsOf = REVERTED;
    await workbench.resume(sessionId, never);
    expect(done).toEqual([]); // it has used none
    calls = 'ended';
    await workbench.resume(sessionId, never);
    await workbench.resume(sessionId, never);
    await workbench.call(sessionId, CALL);

    expect(done).toEqual(['told', 'remembered', 'c1']);
  });

  it('whose commands are stopped with their turn answers how they ended, and waits no longer than that may take', async () => {
    const { promise, resolve } = Promise.withResolvers<ToolResult>();
    run = () => promise;
    const call = workbench.call(sessionId, CALL);
    await eventually('it runs', () => done.includes('c1'));
    cancel = () => resolve({ outcome: 'canceled', output: 'half', durationMs: 3 });
    const canceled = { callId: 'c1', outcome: 'canceled', output: 'half', durationMs: 3 };
    expect(await workbench.cancelAll(sessionId)).toEqual([canceled]);
    await call;

    run = () => new Promise(() => undefined);
    cancel = () => undefined;
    void workbench.call(sessionId, { ...CALL, callId: 'c2' });
    await eventually('it runs', () => done.includes('c2'));
    endWaits = true;
    expect(await workbench.cancelAll(sessionId)).toEqual([]);
    expect(sleeps.at(-1)).toBe(END_MS_MAX);
  });

  it('rests before its release is over (WORKBENCH-3)', async () => {
    const rested = Promise.withResolvers<void>();
    resting = rested.promise;
    await workbench.call(sessionId, CALL);
    const released = workbench.release(sessionId).then(() => done.push('released'));
    await new Promise(setImmediate); // whatever waits for nothing is done by now
    rested.resolve();
    await released;

    expect(done).toEqual(['c1', 'rest somewhere', 'released']);
  });

  it('of which the log cannot be told has no call, and keeps the age that it has (WORKBENCH-4)', async () => {
    filesAsOf = REVERTED;
    told = () => Promise.reject(new Error('no answer'));
    expect((await workbench.call(sessionId, CALL)).outcome).toBe('failed');
    await workbench.release(sessionId, { seq: 9, turn: 2 });

    expect(done).toEqual(['rest 1']);
  });

  it.each([
    ['canceled', 'not run', CALL],
    ['unknown', 'look before you do it again', { ...CALL, inherited: true }],
  ])(
    'has no call that was canceled while its hands started: it ends at once as %s (proves WORKBENCH-5)',
    async (outcome, output, call) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      starting = promise;
      const called = workbench.call(sessionId, call);
      await eventually('hands start', () => isStarting);
      workbench.cancel(sessionId, 'c1');
      await new Promise(setImmediate); // whatever waits for nothing is done by now
      resolve();
      expect(await called).toMatchObject({ outcome, output: expect.stringContaining(output) });
      await workbench.call(sessionId, { ...CALL, callId: 'c2' });

      expect(done).toEqual(['c2']);
    },
  );

  it('whose hands still start when a turn is stopped answers what was canceled, before they serve (proves WORKBENCH-5)', async () => {
    starting = new Promise(() => undefined);
    const called = workbench.call(sessionId, CALL);
    await eventually('hands start', () => isStarting);

    expect(await workbench.cancelAll(sessionId)).toMatchObject([{ callId: 'c1', outcome: 'canceled' }]);
    expect((await called).outcome).toBe('canceled');
  });

  it('has no call that was canceled while the log was told, nor one that comes after its cancel (proves WORKBENCH-5)', async () => {
    filesAsOf = REVERTED;
    const { promise, resolve } = Promise.withResolvers<void>();
    let isTelling = false;
    told = () => {
      isTelling = true;
      return promise;
    };
    const called = workbench.call(sessionId, CALL);
    await eventually('the log is told', () => isTelling);
    workbench.cancel(sessionId, 'c1');
    workbench.cancel(sessionId, 'c2');
    resolve();
    expect((await called).outcome).toBe('canceled');
    expect((await workbench.call(sessionId, { ...CALL, callId: 'c2' })).outcome).toBe('canceled');
    await workbench.call(sessionId, { ...CALL, callId: 'c3' });

    expect(done).toEqual(['told', 'remembered', 'c3']);
  });

  it('has no call while a canceled one has not ended: its hands may be frozen (proves WORKBENCH-6)', async () => {
    const { promise, resolve } = Promise.withResolvers<ToolResult>();
    run = () => promise;
    const frozen = workbench.call(sessionId, CALL);
    await eventually('it runs', () => done.includes('c1'));
    workbench.cancel(sessionId, 'c1');
    run = async () => ({ outcome: 'ok', output: '', durationMs: 1 });
    const next = workbench.call(sessionId, { ...CALL, callId: 'c2' });
    await new Promise(setImmediate); // whatever waits for nothing is done by now
    expect(done).toEqual(['c1']);
    resolve({ outcome: 'canceled', output: '', durationMs: 1 });
    await Promise.all([frozen, next]);

    expect(done).toEqual(['c1', 'c2']);
  });

  it('is asked again for a call as one that was asked for before', async () => {
    const asked: (boolean | undefined)[] = [];
    seen = (call) => asked.push(call.inherited);
    await workbench.call(sessionId, CALL);
    await workbench.call(sessionId, CALL);

    expect(asked).toEqual([false, true]);
  });

  it('waits for hands as long as the machine has no room for them, and then runs the call', async () => {
    let tried = 0;
    failing = () => {
      tried += 1;
      return tried < 10 ? new LaunchFailed('no room', { isShortage: true }) : undefined;
    };
    expect((await workbench.call(sessionId, CALL)).outcome).toBe('ok');
    tried = 0;
    await workbench.release(sessionId);
    workbench.open(sessionId);
    failing = () => {
      tried += 1;
      return new LaunchFailed('broken');
    };
    expect(await workbench.call(sessionId, CALL)).toMatchObject({
      outcome: 'failed',
      output: expect.stringContaining('broken'),
    });

    expect(tried).toBe(HANDS_ATTEMPTS_MAX);
  });

  it('whose command has ended answers its kept result also after a cancel that came too late', async () => {
    await workbench.call(sessionId, CALL);
    workbench.cancel(sessionId, 'c1');

    expect((await workbench.call(sessionId, CALL)).outcome).toBe('ok');
    expect(done).toEqual(['c1', 'c1']); // it is kept with the hands (HANDS-1)
  });
});
