/**
 * The hands of the running sessions: started at a session's first tool call, kept until its slot releases them, started
 * again when they die. A call whose hands died is asked again of new hands under the same id, which answer the kept
 * result or `unknown`; it is never run twice (hands/wire.ts W1).
 *
 * B1 Only a slot opens a bench, and every bench that was opened is released: no hands outlive their slot.
 * B2 After `release` no call of that bench starts hands again, whatever was under way.
 * B3 When `release` resolves, the workspace of a session that had hands rests: it was kept, or it says why not.
 */
import { HandsLost } from '../hands/faults.ts';
import { LOST } from '../hands/tool-result.ts';
import type { ToolCall, ToolResult } from '../hands/wire.ts';
import type { SessionId } from '../kernel/id.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Hands, Launcher } from './launcher.ts';
import { HANDS_ATTEMPTS_MAX } from './limit.ts';
import { WorkspaceHeld } from './workspace-archive.ts';

interface Bench {
  hands: Promise<Hands> | undefined;
  /** Hands were started, or it was tried. */
  used: boolean;
  /** Aborted by `release`. */
  readonly released: AbortController;
  readonly running: Set<string>;
}

const RELEASED: ToolResult = {
  outcome: 'canceled',
  output: 'The session has stopped working on this.',
  durationMs: 0,
};

export class Workbench {
  readonly #ports: { launcher: Launcher; logger: Logger };
  readonly #benches = new Map<SessionId, Bench>();

  constructor(ports: { launcher: Launcher; logger: Logger }) {
    this.#ports = ports;
  }

  /** From here on the session's calls are served; `release` ends it. */
  open(sessionId: SessionId): void {
    this.#benches.set(sessionId, {
      hands: undefined,
      used: false,
      released: new AbortController(),
      running: new Set(),
    });
  }

  /**
   * Runs the call or fetches its result; always answers. When hands cannot be had: `failed`, or `unknown` for an inherited call,
   * which whoever has the workspace may have run.
   */
  async call(sessionId: SessionId, call: ToolCall): Promise<ToolResult> {
    const bench = this.#benches.get(sessionId);
    if (bench === undefined) return RELEASED;
    bench.running.add(call.callId);
    try {
      return await this.#attempts(sessionId, bench, call);
    } finally {
      bench.running.delete(call.callId);
    }
  }

  cancel(sessionId: SessionId, callId: string): void {
    void this.#benches.get(sessionId)?.hands?.then(
      (hands) => hands.cancel(callId),
      () => undefined,
    );
  }

  /** For a turn that was ended without its brain: what still runs must not go on into the next turn. */
  cancelAll(sessionId: SessionId): void {
    for (const callId of this.#benches.get(sessionId)?.running ?? []) this.cancel(sessionId, callId);
  }

  /** How many processes run in the background that the session's commands have left behind. */
  async background(sessionId: SessionId): Promise<number> {
    const hands = this.#benches.get(sessionId)?.hands;
    if (hands === undefined) return 0;
    return hands.then(
      (it) => it.background(),
      () => 0,
    );
  }

  /** Stops the session's hands, if it has any, and lets the workspace rest. */
  async release(sessionId: SessionId): Promise<void> {
    const bench = this.#benches.get(sessionId);
    if (bench === undefined) return;
    this.#benches.delete(sessionId);
    bench.released.abort(); // B2
    await bench.hands?.then(
      (hands) => hands.stop(),
      () => undefined,
    );
    if (bench.used) await this.#ports.launcher.rest(sessionId); // B3
  }

  async close(): Promise<void> {
    await Promise.all([...this.#benches.keys()].map((sessionId) => this.release(sessionId)));
  }

  async #attempts(sessionId: SessionId, bench: Bench, call: ToolCall): Promise<ToolResult> {
    let reason = '';
    let mayHaveRun = call.inherited === true;
    for (let attempt = 1; attempt <= HANDS_ATTEMPTS_MAX; attempt += 1) {
      if (bench.released.signal.aborted) return RELEASED;
      try {
        const hands = await this.#handsOf(sessionId, bench);
        return await hands.call(call);
      } catch (error) {
        reason = error instanceof Error ? error.message : String(error);
        mayHaveRun ||= error instanceof HandsLost;
        const level = error instanceof HandsLost ? 'info' : 'warn';
        this.#ports.logger[level]('hands lost or not started', { sessionId, attempt, error });
        if (error instanceof WorkspaceHeld) break; // it was waited for
      }
    }
    if (mayHaveRun) return LOST;
    return { outcome: 'failed', output: `The tool could not be run: ${reason}`, durationMs: 0 };
  }

  #handsOf(sessionId: SessionId, bench: Bench): Promise<Hands> {
    if (bench.hands !== undefined) return bench.hands;
    bench.used = true;
    const launching = this.#ports.launcher.launchHands(sessionId, bench.released.signal).then((hands) => {
      this.#ports.logger.info('hands started', { sessionId, pid: hands.pid });
      return hands;
    });
    bench.hands = launching;
    const forget = (): void => {
      if (bench.hands === launching) bench.hands = undefined;
    };
    launching.then((hands) => void hands.ended.then(forget), forget);
    return launching;
  }
}
