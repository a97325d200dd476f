/**
 * The hands of the running sessions: started at a session's first tool call, kept until the session hibernates,
 * started again when they die. A call whose hands died is asked again of new hands under the same id, which answer
 * the kept result or `unknown`; it is never run twice (hands/wire.ts W1).
 */
import { HandsLost } from '../hands/faults.ts';
import type { ToolCall, ToolResult } from '../hands/wire.ts';
import type { SessionId } from '../kernel/id.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Hands, Launcher } from './launcher.ts';
import { HANDS_ATTEMPTS_MAX } from './limit.ts';

export class Workbench {
  readonly #ports: { launcher: Launcher; logger: Logger };
  readonly #hands = new Map<SessionId, Promise<Hands>>();
  #closed = false;

  constructor(ports: { launcher: Launcher; logger: Logger }) {
    this.#ports = ports;
  }

  /** Runs the call or fetches its result; always answers, with `failed` when hands cannot be had. */
  async call(sessionId: SessionId, call: ToolCall): Promise<ToolResult> {
    let reason = '';
    for (let attempt = 1; attempt <= HANDS_ATTEMPTS_MAX; attempt += 1) {
      if (this.#closed) break;
      try {
        const hands = await this.#of(sessionId);
        return await hands.call(call);
      } catch (error) {
        reason = error instanceof Error ? error.message : String(error);
        const lost = error instanceof HandsLost;
        this.#ports.logger[lost ? 'info' : 'warn']('hands lost or not started', {
          sessionId,
          attempt,
          error,
        });
      }
    }
    return { outcome: 'failed', output: `The tool could not be run: ${reason}`, durationMs: 0 };
  }

  cancel(sessionId: SessionId, callId: string): void {
    void this.#hands.get(sessionId)?.then(
      (hands) => hands.cancel(callId),
      () => undefined,
    );
  }

  /** The process id, for diagnosis and tests; undefined when the session has no hands now. */
  async pidOf(sessionId: SessionId): Promise<number | undefined> {
    return this.#hands.get(sessionId)?.then(
      (hands) => hands.pid,
      () => undefined,
    );
  }

  /** Stops the session's hands, if it has any; the workspace stays. */
  async release(sessionId: SessionId): Promise<void> {
    const hands = this.#hands.get(sessionId);
    this.#hands.delete(sessionId);
    await hands?.then(
      (it) => it.stop(),
      () => undefined,
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#hands.keys()].map((sessionId) => this.release(sessionId)));
  }

  #of(sessionId: SessionId): Promise<Hands> {
    const known = this.#hands.get(sessionId);
    if (known !== undefined) return known;
    const launching = this.#ports.launcher.launchHands(sessionId).then((hands) => {
      this.#ports.logger.info('hands started', { sessionId, pid: hands.pid });
      return hands;
    });
    this.#hands.set(sessionId, launching);
    const forget = (): void => {
      if (this.#hands.get(sessionId) === launching) this.#hands.delete(sessionId);
    };
    launching.then((hands) => void hands.ended.then(forget), forget);
    return launching;
  }
}
