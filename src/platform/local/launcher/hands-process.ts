/**
 * The control plane's end of the line to one hands process (hands/wire.ts). What comes over it was made next to what the
 * model runs, so nothing of it is trusted: it is checked, bounded, and a line that is no message ends the hands.
 */
import type { ChildProcess } from 'node:child_process';
import { HandsLost } from '../../../hands/faults.ts';
import { END_GRACE_MS } from '../../../hands/limit.ts';
import { resultOf } from '../../../hands/tool-result.ts';
import { LINE_BYTES_MAX, type ToHands, type ToolCall, type ToolResult } from '../../../hands/wire.ts';
import type { Ended, Hands } from '../../../supervisor/launcher.ts';
import type { FilesAsOf } from '../../../hands/workspace-archive.ts';
import { Child, describeEnd } from './child.ts';
import { isReady, whenReady } from './launch.ts';

/** What runs has its own grace; killing what is left then and keeping results takes less than the rest. */
const STOP_GRACE_MS = END_GRACE_MS + 3_000;
/** Hands that do not answer for so long count as hands with nothing in the background: a command may have frozen them. */
const ANSWER_MS_MAX = 2_000;

interface Pending {
  readonly result: Promise<ToolResult>;
  resolve(result: ToolResult): void;
  reject(error: HandsLost): void;
}

export class HandsProcess implements Hands {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  readonly filesAsOf: FilesAsOf;
  readonly #child: Child;
  readonly #pending = new Map<string, Pending>();
  #onReady: () => void = () => undefined;
  #onBackground: (count: number) => void = () => undefined;

  /** Resolves when the hands serve; rejects with LaunchFailed. */
  static async of(process: ChildProcess, filesAsOf: FilesAsOf = { kind: 'now' }): Promise<HandsProcess> {
    const hands = new HandsProcess(process, filesAsOf);
    const ready = new Promise<void>((resolve) => {
      hands.#onReady = resolve;
    });
    await whenReady('hands', hands.#child, ready);
    return hands;
  }

  private constructor(process: ChildProcess, filesAsOf: FilesAsOf) {
    this.filesAsOf = filesAsOf;
    this.#child = new Child(process, { lineBytesMax: LINE_BYTES_MAX, onLine: (line) => this.#receive(line) });
    this.pid = this.#child.pid;
    this.ended = this.#child.ended;
    void this.ended.then((end) => {
      this.#onBackground(0);
      this.#lose(describeEnd(end));
    });
  }

  call(call: ToolCall): Promise<ToolResult> {
    const known = this.#pending.get(call.callId);
    if (known !== undefined) return known.result;
    if (this.#child.hasEnded) return Promise.reject(new HandsLost('they had ended before the call'));
    const line = JSON.stringify({ kind: 'call', ...call } satisfies ToHands);
    if (Buffer.byteLength(line) > LINE_BYTES_MAX) {
      return Promise.resolve({
        outcome: 'failed',
        output: 'The input is too long: do it in parts.',
        durationMs: 0,
      });
    }
    const pending = Promise.withResolvers<ToolResult>();
    this.#pending.set(call.callId, { ...pending, result: pending.promise });
    this.#child.send(line);
    return pending.promise;
  }

  cancel(callId: string): void {
    if (this.#pending.has(callId))
      this.#child.send(JSON.stringify({ kind: 'cancel', callId } satisfies ToHands));
  }

  background(): Promise<number> {
    if (this.#child.hasEnded) return Promise.resolve(0);
    return new Promise((resolve) => {
      const silence = setTimeout(() => resolve(0), ANSWER_MS_MAX);
      const before = this.#onBackground;
      this.#onBackground = (count) => {
        clearTimeout(silence);
        before(count);
        resolve(count);
      };
      this.#child.send(JSON.stringify({ kind: 'background' } satisfies ToHands));
    });
  }

  stop(): Promise<void> {
    return this.#child.stop(STOP_GRACE_MS);
  }

  kill(): void {
    this.#child.kill();
  }

  #receive(line: string): void {
    const message = parse(line);
    if (isReady(message)) return this.#onReady();
    const count = countOf(message);
    if (count !== undefined) {
      this.#onBackground(count);
      this.#onBackground = () => undefined;
      return;
    }
    const answer = answerOf(message);
    if (answer === undefined) return this.kill();
    const pending = this.#pending.get(answer.callId);
    this.#pending.delete(answer.callId);
    pending?.resolve(answer.result);
  }

  #lose(how: string): void {
    for (const { reject } of this.#pending.values()) reject(new HandsLost(how));
    this.#pending.clear();
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Undefined when it is another message. */
function countOf(message: unknown): number | undefined {
  if (!isRecord(message) || message['kind'] !== 'background') return undefined;
  const { count } = message;
  return typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 ? count : undefined;
}

/** Undefined when it is not the message of this wire. */
function answerOf(message: unknown): { callId: string; result: ToolResult } | undefined {
  if (!isRecord(message) || message['kind'] !== 'result' || typeof message['callId'] !== 'string')
    return undefined;
  const result = resultOf(message['result']);
  return result === undefined ? undefined : { callId: message['callId'], result };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
