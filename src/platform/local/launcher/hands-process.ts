/**
 * The control plane's end of the line to one hands process (hands/wire.ts). What comes over it was made next to what the
 * model runs, so nothing of it is trusted: it is checked, bounded, and taken only as the answer to what was asked.
 *
 * LINE-1 Hands say `ready` once and first, then one result for each call and one count for each question. Anything else (garbage, an endless
 *    line, an answer that nobody waits for, a second `ready`) ends them, for a reason that is logged; calls that are open are then unknown.
 */
import type { ChildProcess } from 'node:child_process';
import { HandsLost } from '../../../hands/faults.ts';
import { KeptCalls } from '../../../hands/kept-calls.ts';
import type { KeptResults } from '../../../hands/kept-results.ts';
import { END_GRACE_MS } from '../../../hands/limit.ts';
import { resultOf } from '../../../hands/tool-result.ts';
import {
  RESULT_LINE_BYTES_MAX,
  WIRE_LINE_BYTES_MAX,
  type ToHands,
  type ToolCall,
  type ToolResult,
} from '../../../hands/wire.ts';
import type { Ended, Hands } from '../../../supervisor/launcher.ts';
import type { FilesAsOf } from '../../../hands/workspace-archive.ts';
import { Child, describeEnd } from './child.ts';
import { isReady, whenReady } from './launch.ts';

/** What runs has its own grace; killing what is left then takes less than the rest. */
const STOP_GRACE_MS = END_GRACE_MS + 3_000;
/** Hands that do not answer for so long count as hands with nothing in the background: a command may have frozen them. */
const ANSWER_MS_MAX = 2_000;
/** Lines that hands have not read yet, all together: those that live read at once, and for frozen ones no more is kept. */
const UNREAD_BYTES_MAX = 4 * WIRE_LINE_BYTES_MAX;
/** Hands complain when something breaks, a line each time; what floods their stderr is a command. */
const STDERR_BYTES_MAX = 1024 * 1024;

const TOO_LONG: ToolResult = {
  outcome: 'failed',
  output: 'The input is too long: do it in parts.',
  durationMs: 0,
};

export interface HandsProcessOptions {
  readonly filesAsOf?: FilesAsOf | undefined;
  readonly kept: KeptResults;
  /** Whether `kept` has every call that was ever started (hands/wire.ts HANDS-1). */
  readonly keptIsWhole: boolean;
  /** What could not be kept; never for the model. */
  complain(message: string, error: unknown): void;
}

export class HandsProcess implements Hands {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  readonly filesAsOf: FilesAsOf;
  readonly #child: Child;
  readonly #calls: KeptCalls;
  /** Calls that were sent. */
  readonly #pending = new Map<string, PromiseWithResolvers<ToolResult>>();
  /** Calls that were canceled before they were sent. */
  readonly #canceled = new Set<string>();
  #isReady = false;
  #onReady: () => void = () => undefined;
  #asking: PromiseWithResolvers<number> | undefined;

  /** Resolves when the hands serve; rejects with LaunchFailed. */
  static async of(process: ChildProcess, options: HandsProcessOptions): Promise<HandsProcess> {
    const hands = new HandsProcess(process, options);
    const ready = new Promise<void>((resolve) => {
      hands.#onReady = resolve;
    });
    await whenReady('hands', hands.#child, ready);
    return hands;
  }

  private constructor(process: ChildProcess, options: HandsProcessOptions) {
    const { filesAsOf = { kind: 'now' }, kept, keptIsWhole, complain } = options;
    this.filesAsOf = filesAsOf;
    this.#calls = new KeptCalls({ kept, isWhole: keptIsWhole, complain });
    const onLine = (line: string): void => this.#receive(line);
    this.#child = new Child(process, {
      lineBytesMax: RESULT_LINE_BYTES_MAX,
      stderrBytesMax: STDERR_BYTES_MAX,
      onLine,
    });
    this.pid = this.#child.pid;
    this.ended = this.#child.ended;
    void this.ended.then((end) => this.#lose(describeEnd(end)));
  }

  call(call: ToolCall): Promise<ToolResult> {
    if (this.#child.hasEnded) return Promise.reject(new HandsLost('they had ended before the call'));
    const { callId, tool, input, timeoutMs } = call;
    const line = JSON.stringify({ kind: 'call', callId, tool, input, timeoutMs } satisfies ToHands);
    if (Buffer.byteLength(line) > WIRE_LINE_BYTES_MAX) return Promise.resolve(TOO_LONG);
    return this.#calls.run(call, () => this.#ask(callId, line)).finally(() => this.#canceled.delete(callId));
  }

  cancel(callId: string): void {
    if (this.#pending.has(callId)) this.#send({ kind: 'cancel', callId });
    else if (this.#calls.isRunning(callId)) this.#canceled.add(callId);
  }

  async background(): Promise<number> {
    if (this.#child.hasEnded) return 0;
    if (this.#asking === undefined) {
      this.#asking = Promise.withResolvers<number>();
      this.#send({ kind: 'background' });
    }
    const { promise } = this.#asking;
    return new Promise((resolve) => {
      const silence = setTimeout(() => resolve(0), ANSWER_MS_MAX);
      void promise.then((count) => {
        clearTimeout(silence);
        resolve(count);
      });
    });
  }

  async stop(): Promise<void> {
    await this.#child.stop(STOP_GRACE_MS);
    await this.#calls.settled();
  }

  kill(why: string): void {
    this.#child.kill(why);
  }

  /** Once the call is known as started. */
  #ask(callId: string, line: string): Promise<ToolResult> {
    if (this.#child.hasEnded) return Promise.reject(new HandsLost('they ended before the call was sent'));
    if (this.#child.unreadBytes + line.length > UNREAD_BYTES_MAX)
      this.kill(`they leave more than ${UNREAD_BYTES_MAX} bytes unread`);
    const pending = Promise.withResolvers<ToolResult>();
    this.#pending.set(callId, pending);
    this.#child.send(line);
    if (this.#canceled.has(callId)) this.#send({ kind: 'cancel', callId });
    return pending.promise;
  }

  #send(message: ToHands): void {
    this.#child.send(JSON.stringify(message));
  }

  /** LINE-1 */
  #receive(line: string): void {
    const message = parse(line);
    if (isReady(message)) {
      if (this.#isReady) return this.kill('they said a second time that they are ready');
      this.#isReady = true;
      return this.#onReady();
    }
    if (!this.#isReady) return this.kill('they said something before they were ready');
    const count = countOf(message);
    if (count !== undefined) {
      if (this.#asking === undefined) return this.kill('they answered a question that was not asked');
      this.#asking.resolve(count);
      this.#asking = undefined;
      return;
    }
    const answer = answerOf(message);
    if (answer === undefined) return this.kill('they said something that is no message');
    const pending = this.#pending.get(answer.callId);
    if (pending === undefined) return this.kill('they answered a call that is not open');
    this.#pending.delete(answer.callId);
    pending.resolve(answer.result);
  }

  #lose(how: string): void {
    this.#asking?.resolve(0);
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
