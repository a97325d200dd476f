/**
 * Remembers which calls were given to hands and what they answered (wire.ts HANDS-1). It is on the side of whoever calls, where no
 * command of the session can write: what a command says it has done counts for nothing, and what it has done cannot be denied.
 *
 * HANDS-6 A kept result counts only for a call that was asked for before, by its own mark. A call that is asked for the first time is run,
 *    whatever lies in its place.
 */
import type { KeptResults } from './kept-results.ts';
import { CALLS_KEPT_MAX } from './limit.ts';
import { LOST } from './tool-result.ts';
import type { ToolCall, ToolResult } from './wire.ts';

export interface KeptCallsPorts {
  readonly kept: KeptResults;
  /** Whether `kept` has every call of the session that was ever started. */
  readonly isWhole: boolean;
  /** Diagnostics for whoever runs the server; never for the model. */
  complain(message: string, error: unknown): void;
}

const UNRECORDED: ToolResult = {
  outcome: 'failed',
  output: 'The call was not run, because it could not be recorded (is the disk of the server full?).',
  durationMs: 0,
};

export class KeptCalls {
  readonly #ports: KeptCallsPorts;
  readonly #running = new Map<string, Promise<ToolResult>>();
  /** The last ones. */
  readonly #begun = new Set<string>();

  constructor(ports: KeptCallsPorts) {
    this.#ports = ports;
  }

  isRunning(callId: string): boolean {
    return this.#running.has(callId);
  }

  /**
   * Joins the call where it runs already, answers what is known of it, or has `perform` run it: once, after its mark is durable. Rejects
   * as `perform` does: then it is known as started.
   */
  run(call: ToolCall, perform: () => Promise<ToolResult>): Promise<ToolResult> {
    const running = this.#running.get(call.callId);
    if (running !== undefined) return running;
    const result = this.#run(call, perform).finally(() => this.#running.delete(call.callId));
    this.#running.set(call.callId, result);
    return result;
  }

  /** Resolves when nothing is under way any more. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#running.values());
  }

  async #run(call: ToolCall, perform: () => Promise<ToolResult>): Promise<ToolResult> {
    const { kept, isWhole, complain } = this.#ports;
    const { callId } = call;
    const isAgain = this.#begun.has(callId);
    try {
      if (isAgain || call.inherited === true) {
        const found = await kept.find(callId);
        if (found.kind === 'done') return found.result;
        if (found.kind === 'started' || isAgain || !isWhole) return LOST;
      }
      this.#remember(callId);
      await kept.start(callId);
    } catch (error) {
      complain(`call ${callId} could not be recorded`, error);
      return UNRECORDED;
    }
    const result = await perform();
    await kept.settle(callId, result).catch((error: unknown) => {
      complain(`the result of ${callId} could not be kept`, error);
    });
    return result;
  }

  #remember(callId: string): void {
    this.#begun.add(callId);
    const [oldest] = this.#begun;
    if (this.#begun.size > CALLS_KEPT_MAX && oldest !== undefined) this.#begun.delete(oldest);
  }
}
