/**
 * The hands of the running sessions: started at a session's first tool call, kept until its slot releases them, started
 * again when they die. A call whose hands died is asked again of new hands under the same id, which answer the kept
 * result or `unknown`; it is never run twice (hands/wire.ts HANDS-1). How long a call may take is kept here too (call-deadline.ts).
 *
 * WORKBENCH-1 Only a slot opens a bench, and every bench that was opened is released: no hands outlive their slot.
 * WORKBENCH-2 After `release` no call of that bench starts hands again, whatever was under way.
 * WORKBENCH-3 When `release` resolves, the workspace of a session that had hands rests: it was kept, or it says why not.
 * WORKBENCH-4 No call runs on files that are older than the log before the log says so, and no turn goes on here that has used tools elsewhere.
 * WORKBENCH-5 A call that is canceled before it is with hands ends at once and is never run, also when it comes after its cancel.
 * WORKBENCH-6 No call is given to hands that still owe the end of a canceled one: they may be frozen, and it would be lost with them.
 */
import { HandsLost } from '../hands/faults.ts';
import { LOST } from '../hands/tool-result.ts';
import type { ToolCall, ToolResult } from '../hands/wire.ts';
import type { TurnOutcome } from '../journal/event-catalog.ts';
import { Backoff } from '../kernel/backoff.ts';
import type { Chance } from '../kernel/chance.ts';
import type { Clock } from '../kernel/clock.ts';
import type { SessionId } from '../kernel/id.ts';
import type { Logger } from '../kernel/logger.ts';
import { once } from '../kernel/tail.ts';
import { unlessAborted } from '../kernel/unless-aborted.ts';
import type { ToolEnd } from '../sessions/turn-events.ts';
import { type Bench, newBench, remember } from './bench.ts';
import { callInTime } from './call-deadline.ts';
import { type Ended, type Hands, isShortage, type Launcher } from './launcher.ts';
import {
  END_MS_MAX,
  HANDS_ATTEMPTS_MAX,
  LAUNCH_RETRY_FIRST_MS,
  LAUNCH_RETRY_LAST_MS,
  HANDS_SHORTAGE_MS_MAX,
  SAVE_MS_MAX,
  STOPPED_SAVE_MS_MAX,
} from './limit.ts';
import { type LogPlace, WorkspaceHeld } from '../hands/workspace-archive.ts';
import type { WorkspaceLog } from './workspace-log.ts';

export interface WorkbenchPorts {
  readonly launcher: Launcher;
  readonly log: Pick<WorkspaceLog, 'told' | 'callsOf'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly chance?: Chance | undefined;
}

/** Nobody has asked for the end of the call: where the session goes on, it is asked for again. */
const RELEASED: ToolResult = {
  outcome: 'unknown',
  output: 'The session stopped here before this call had a result: look before you do it again.',
  durationMs: 0,
};

const CANCELED: ToolResult = {
  outcome: 'canceled',
  output: 'The call was canceled before it was started: it has not run.',
  durationMs: 0,
};

export class Workbench {
  readonly #ports: WorkbenchPorts;
  readonly #benches = new Map<SessionId, Bench>();

  constructor(ports: WorkbenchPorts) {
    this.#ports = ports;
  }

  /** From here on the session's calls are served; `release` ends it. */
  open(sessionId: SessionId): void {
    this.#benches.set(sessionId, newBench());
  }

  /**
   * Runs the call or fetches its result; always answers. When hands cannot be had: `failed`, or `unknown` for an inherited call,
   * which whoever has the workspace may have run.
   */
  async call(sessionId: SessionId, call: ToolCall): Promise<ToolResult> {
    const bench = this.#benches.get(sessionId);
    if (bench === undefined) return RELEASED; // WORKBENCH-1
    const same = bench.running.get(call.callId);
    if (same !== undefined) return same.result;
    bench.isChanged = true;
    const canceled = new AbortController();
    if (bench.canceled.has(call.callId)) canceled.abort(); // WORKBENCH-5
    const owed = [...bench.running.values()].filter((it) => it.canceled.signal.aborted);
    const ends = Promise.all(owed.map((it) => it.result));
    const result = this.#attempts(sessionId, bench, call, canceled.signal, ends);
    bench.running.set(call.callId, { result, canceled });
    try {
      return await result;
    } finally {
      bench.running.delete(call.callId);
    }
  }

  /**
   * Before a turn goes on that others have begun: when it has used tools, its files are brought here and the log is told what is missing
   * (WORKBENCH-4). A workspace that cannot be had is no hindrance: its calls say so.
   */
  async resume(sessionId: SessionId, signal: AbortSignal): Promise<void> {
    const bench = this.#benches.get(sessionId);
    if (bench === undefined || bench.used) return;
    const calls = await this.#ports.log.callsOf(sessionId);
    if (calls === 'none') return;
    const resumed = this.#handsOf(sessionId, bench)
      .then(() => this.#tell(sessionId, bench, calls === 'open'))
      .catch((error: unknown) => this.#ports.logger.warn('workspace not brought here', { sessionId, error }));
    await once((done) => {
      void resumed.finally(done);
      return () => undefined;
    }, signal);
  }

  cancel(sessionId: SessionId, callId: string): void {
    const bench = this.#benches.get(sessionId);
    if (bench === undefined) return;
    const running = bench.running.get(callId);
    if (running !== undefined) running.canceled.abort();
    else if (!bench.begun.has(callId)) remember(bench.canceled, callId); // one that has begun is over, its result is kept
  }

  /**
   * For a turn that is ended without its brain: what still runs must not go on into the next turn. Waits for its end, for a while, and
   * answers the results of what has ended.
   */
  async cancelAll(sessionId: SessionId): Promise<readonly ToolEnd[]> {
    const ended: ToolEnd[] = [];
    const ends = [...(this.#benches.get(sessionId)?.running ?? [])].map(([callId, running]) => {
      this.cancel(sessionId, callId);
      return running.result.then((result) => void ended.push({ callId, ...result }));
    });
    await this.#within(Promise.all(ends), END_MS_MAX);
    return [...ended];
  }

  /**
   * Keeps the files as the turn leaves them, if any tool was used; to be called before the log says that it is over, so that whoever
   * reads that finds them on every server. Waits as long as such an end may wait; what takes longer goes on.
   */
  async checkpoint(sessionId: SessionId, place: LogPlace, outcome: TurnOutcome): Promise<void> {
    const bench = this.#benches.get(sessionId);
    if (bench === undefined) return;
    bench.place = place;
    if (bench.isChanged) bench.next ??= this.#save(sessionId, bench);
    const isInTime = await this.#within(bench.next ?? bench.saving, waitMsOf(outcome));
    if (!isInTime)
      this.#ports.logger.warn('the turn ends before its files are saved', { sessionId, ...place });
  }

  /** How many processes run in the background that the session's commands have left behind; hands that are still to come have none. */
  async background(sessionId: SessionId): Promise<number> {
    return (await this.#benches.get(sessionId)?.serving?.background()) ?? 0;
  }

  /** Stops the session's hands, if it has any, and lets the workspace rest. `place` is how far the log has come, when that is known. */
  async release(sessionId: SessionId, place?: LogPlace): Promise<void> {
    const bench = this.#benches.get(sessionId);
    if (bench === undefined) return;
    this.#benches.delete(sessionId);
    bench.released.abort(); // WORKBENCH-2
    await bench.hands?.then(
      (hands) => hands.stop(),
      () => undefined,
    );
    const { untold } = bench;
    const reached = untold?.kind === 'checkpoint' ? untold.place : place; // the former: whoever comes next has to say it
    if (bench.used) await this.#ports.launcher.rest(sessionId, reached); // WORKBENCH-3
  }

  async close(): Promise<void> {
    await Promise.all([...this.#benches.keys()].map((sessionId) => this.release(sessionId)));
  }

  async #attempts(
    sessionId: SessionId,
    bench: Bench,
    call: ToolCall,
    canceled: AbortSignal,
    owed: Promise<unknown>,
  ): Promise<ToolResult> {
    const { clock, logger, chance } = this.#ports;
    const stop = AbortSignal.any([bench.released.signal, canceled]);
    const pace = { firstMs: LAUNCH_RETRY_FIRST_MS, ceilingMs: LAUNCH_RETRY_LAST_MS, heldMs: Infinity };
    const backoff = new Backoff({ ...pace, random: chance?.random });
    const startedAt = clock.monotonicNow();
    let [reason, attempts] = ['', 0];
    let mayHaveRun = call.inherited === true;
    for (;;) {
      if (bench.released.signal.aborted) return RELEASED;
      if (canceled.aborted) break;
      try {
        await unlessAborted(owed, stop); // WORKBENCH-6
        const hands = await unlessAborted(this.#ready(sessionId, bench, mayHaveRun), canceled);
        if (bench.released.signal.aborted) return RELEASED;
        if (hands === undefined || canceled.aborted) break; // WORKBENCH-5
        const inherited = mayHaveRun || bench.begun.has(call.callId);
        remember(bench.begun, call.callId);
        return await callInTime({ hands, clock }, { ...call, inherited }, canceled); // CALL-1
      } catch (error) {
        reason = error instanceof Error ? error.message : String(error);
        mayHaveRun ||= error instanceof HandsLost;
        const mayWait = isShortage(error) && clock.monotonicNow() - startedAt < HANDS_SHORTAGE_MS_MAX;
        if (!mayWait) attempts += 1;
        const isLast = error instanceof WorkspaceHeld || attempts >= HANDS_ATTEMPTS_MAX; // the former was waited for
        const waitMs = isLast || error instanceof HandsLost ? 0 : backoff.nextMs(0);
        const level = error instanceof HandsLost ? 'info' : 'warn';
        logger[level]('hands lost or not started', { sessionId, attempts, waitMs, error });
        if (isLast) break;
        if (waitMs > 0) await clock.sleep(waitMs, stop);
      }
    }
    if (mayHaveRun) return LOST;
    if (canceled.aborted) return CANCELED;
    return { outcome: 'failed', output: `The tool could not be run: ${reason}`, durationMs: 0 };
  }

  async #ready(sessionId: SessionId, bench: Bench, mayHaveRun: boolean): Promise<Hands> {
    const hands = await this.#handsOf(sessionId, bench);
    await this.#tell(sessionId, bench, mayHaveRun);
    return hands;
  }

  #handsOf(sessionId: SessionId, bench: Bench): Promise<Hands> {
    if (bench.hands !== undefined) return bench.hands;
    bench.used = true;
    const launching = this.#ports.launcher.launchHands(sessionId, bench.released.signal).then((hands) => {
      bench.serving = hands;
      if (hands.filesAsOf.kind !== 'now') bench.untold = hands.filesAsOf;
      this.#ports.logger.info('hands started', { sessionId, pid: hands.pid });
      return hands;
    });
    bench.hands = launching;
    const forget = (): void => {
      if (bench.hands !== launching) return;
      bench.hands = undefined;
      bench.serving = undefined;
    };
    const end = (hands: Hands, how: Ended): void => {
      forget();
      this.#ended(sessionId, hands, how);
    };
    launching.then((hands) => void hands.ended.then((how) => end(hands, how)), forget);
    return launching;
  }

  #ended(sessionId: SessionId, { pid }: Hands, { code, signal, why }: Ended): void {
    const { logger } = this.#ports;
    if (why === undefined) logger.info('hands ended', { sessionId, pid, code, signal });
    else logger.warn('hands were ended', { sessionId, pid, why });
  }

  /** WORKBENCH-4. Calls that come at the same time wait for the one that tells. */
  async #tell(sessionId: SessionId, bench: Bench, mayHaveRun: boolean): Promise<void> {
    const { untold } = bench;
    if (untold === undefined) return;
    bench.telling ??= this.#ports.log
      .told(sessionId, untold, mayHaveRun)
      .then(async () => {
        await this.#ports.launcher.told(sessionId);
        bench.untold = undefined;
      })
      .finally(() => void (bench.telling = undefined));
    await bench.telling;
  }

  async #save(sessionId: SessionId, bench: Bench): Promise<void> {
    await bench.saving;
    bench.next = undefined;
    bench.isChanged = false;
    const { place } = bench;
    if (place === undefined || bench.untold !== undefined) return;
    const saving = this.#ports.launcher.checkpoint(sessionId, place).then((isKept) => {
      bench.isChanged ||= !isKept;
      bench.saving = undefined;
    });
    bench.saving = saving;
    await saving;
  }

  /** False when it takes longer. */
  async #within(work: Promise<unknown> | undefined, ms: number): Promise<boolean> {
    if (work === undefined) return true;
    const timer = new AbortController();
    const late = this.#ports.clock.sleep(ms, timer.signal).then(() => timer.signal.aborted);
    const isInTime = await Promise.race([work.then(() => true), late]);
    timer.abort();
    return isInTime;
  }
}

/** A turn that somebody stopped ends soon: its files are kept beside the next one, and what a crash loses until then is told. */
function waitMsOf(outcome: TurnOutcome): number {
  return outcome === 'canceled' || outcome === 'interrupted' ? STOPPED_SAVE_MS_MAX : SAVE_MS_MAX;
}
