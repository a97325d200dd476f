/** A call's time as the control plane keeps it, with hands that answer, or do not. */
import { beforeEach, expect, it } from 'vitest';
import { HandsLost } from '../../src/hands/faults.ts';
import type { ToolResult } from '../../src/hands/wire.ts';
import type { Clock } from '../../src/kernel/clock.ts';
import { callInTime } from '../../src/supervisor/call-deadline.ts';
import type { Hands } from '../../src/supervisor/launcher.ts';
import {
  CALL_LATE_MS,
  CANCELED_MS_MAX,
  HANDS_DYING_MS_MAX,
  LAST_LOOK_MS,
} from '../../src/supervisor/limit.ts';

const CALL = { callId: 'c1', tool: 'bash', input: {}, timeoutMs: 3_000 };
const OK: ToolResult = { outcome: 'ok', output: '', durationMs: 1 };

/** Time goes on when the test says so. */
class HeldClock implements Clock {
  #now = 0;
  readonly #sleeps = new Set<{ until: number; wake: () => void }>();
  now = (): number => this.#now;
  monotonicNow = (): number => this.#now;

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const sleep = { until: this.#now + ms, wake: resolve };
      this.#sleeps.add(sleep);
      signal?.addEventListener('abort', () => {
        this.#sleeps.delete(sleep);
        resolve();
      });
    });
  }

  get waits(): number {
    return this.#sleeps.size;
  }

  async pass(ms: number): Promise<void> {
    const until = this.#now + ms;
    for (;;) {
      await new Promise(setImmediate); // whatever waits for nothing is done by now
      const [next] = [...this.#sleeps]
        .filter((sleep) => sleep.until <= until)
        .toSorted((a, b) => a.until - b.until);
      if (next === undefined) break;
      this.#now = next.until;
      this.#sleeps.delete(next);
      next.wake();
    }
    this.#now = until;
  }
}

let clock: HeldClock;
let answer: PromiseWithResolvers<ToolResult>;
let done: string[];
let dies: boolean;
const canceled = { now: new AbortController() };
const call = (): Promise<ToolResult> => {
  const hands: Hands = {
    pid: 1,
    ended: new Promise(() => undefined),
    filesAsOf: { kind: 'now' },
    call: () => answer.promise,
    cancel: () => void done.push('cancel'),
    kill: (why) => {
      done.push(why);
      if (dies) answer.reject(new HandsLost(why));
    },
    background: async () => 0,
    stop: async () => undefined,
  };
  return callInTime({ hands, clock }, CALL, canceled.now.signal);
};
beforeEach(() => {
  clock = new HeldClock();
  answer = Promise.withResolvers();
  done = [];
  dies = true;
  canceled.now = new AbortController();
});

it('rejects as the hands do when they end by themselves', async () => {
  const lost = call().catch((error: unknown) => error);
  answer.reject(new HandsLost('gone'));

  expect(await lost).toBeInstanceOf(HandsLost);
});

it('answers what the hands answer, and then waits for nothing', async () => {
  const result = call();
  await clock.pass(CALL.timeoutMs + CALL_LATE_MS - 1);
  answer.resolve(OK);

  expect(await result).toEqual(OK);
  expect([done, clock.waits]).toEqual([[], 0]);
});

it('that has no result some time after its own ends its hands (proves CALL-1)', async () => {
  const result = call();
  await clock.pass(CALL.timeoutMs + CALL_LATE_MS);

  expect((await result).outcome).toBe('unknown');
  expect(done).toEqual(['call c1 of 3000 ms had no result after 13000 ms']);
  expect(clock.waits).toBe(0);
});

it('that has not ended some time after its cancel ends its hands (proves CALL-1)', async () => {
  const result = call();
  await clock.pass(1);
  canceled.now.abort();
  await clock.pass(CANCELED_MS_MAX - 1);
  expect(done).toEqual(['cancel']);
  await clock.pass(1);

  expect((await result).outcome).toBe('unknown');
  expect(done).toHaveLength(2);
});

it('is unknown when its hands cannot even be killed', async () => {
  dies = false;
  const result = call();
  await clock.pass(CALL.timeoutMs + CALL_LATE_MS + HANDS_DYING_MS_MAX);

  expect((await result).outcome).toBe('unknown');
});

it('takes a result that came while this process itself was held up', async () => {
  const result = call();
  await clock.pass(CALL.timeoutMs + CALL_LATE_MS - 1);
  answer.resolve(OK);
  await clock.pass(LAST_LOOK_MS);

  expect([await result, done]).toEqual([OK, []]);
});
