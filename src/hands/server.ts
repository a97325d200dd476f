/**
 * The hands' side of the wire (wire.ts), without the process around it: lines in, lines out.
 *
 * Every call that is sent gets exactly one result, whatever the tool does. That none is run twice is the business of whoever sends them
 * (kept-calls.ts): what is remembered here, commands could reach.
 */
import { assert } from '../kernel/assert.ts';
import type { Clock } from '../kernel/clock.ts';
import { TOOL_OUTPUT_BYTES_MAX } from '../kernel/limit.ts';
import { capText } from './capped-text.ts';
import { FileRefused } from './faults.ts';
import { CALLS_RUNNING_MAX } from './limit.ts';
import { SerialQueue } from './serial-queue.ts';
import type { Sandbox } from './sandbox.ts';
import { defectOf, type Tool, type ToolAnswer, type ToolInput } from './tool.ts';
import { CALL_ID, type FromHands, type ToolCall, type ToolResult } from './wire.ts';

export interface HandsPorts {
  readonly tools: readonly Tool[];
  readonly sandbox: Sandbox;
  readonly clock: Clock;
  send(message: FromHands): void;
  /** Diagnostics for whoever runs the hands; never for the model. */
  complain(message: string, error: unknown): void;
}

/** A longer wait than a turn may last makes no sense, and setTimeout would overflow (kernel/limit.ts TURN_SECONDS_MAX). */
const TIMEOUT_MS_MAX = 24 * 3_600_000;

/** Why a running call was stopped; the last one because its hands were, at the end of their server say. */
type Stop = 'timed_out' | 'canceled' | 'ended';

interface Running {
  readonly abort: AbortController;
  readonly result: Promise<ToolResult>;
}

export class HandsServer {
  readonly #ports: HandsPorts;
  readonly #running = new Map<string, Running>();
  readonly #changes = new SerialQueue();

  constructor(ports: HandsPorts) {
    this.#ports = ports;
    ports.send({ kind: 'ready' });
  }

  /** One line of the wire. Throws when it is not a message: the two sides do not understand each other. */
  receive(line: string): void {
    const message = parse(line);
    if (message.kind === 'background') {
      this.#ports.send({ kind: 'background', count: this.#ports.sandbox.background() }); // HANDS-5
      return;
    }
    if (message.kind === 'cancel') {
      this.#running.get(message.callId)?.abort.abort('canceled' satisfies Stop); // HANDS-3
      return;
    }
    const { callId } = message;
    void this.#resultOf(message).then((result) => this.#ports.send({ kind: 'result', callId, result }));
  }

  /** HANDS-4: ends what runs and waits for it; the results are sent. */
  async close(): Promise<void> {
    const running = [...this.#running.values()];
    const closed = this.#ports.sandbox.close(); // commands and what was left behind together: one grace for all
    for (const { abort } of running) abort.abort('ended' satisfies Stop);
    await Promise.all([closed, ...running.map(({ result }) => result)]);
  }

  /** Never rejects. */
  #resultOf(call: ToolCall): Promise<ToolResult> {
    const running = this.#running.get(call.callId);
    if (running !== undefined) return running.result;
    if (this.#running.size >= CALLS_RUNNING_MAX) {
      return Promise.resolve(
        failed(`${CALLS_RUNNING_MAX} calls run already: wait for one, then call again.`),
      );
    }
    const abort = new AbortController();
    const result = this.#run(call, abort).finally(() => this.#running.delete(call.callId));
    this.#running.set(call.callId, { abort, result });
    return result;
  }

  async #run(call: ToolCall, abort: AbortController): Promise<ToolResult> {
    const { clock } = this.#ports;
    const startedAt = clock.monotonicNow(); // the wall clock may be set in between
    const timer = new AbortController();
    void clock.sleep(Math.min(call.timeoutMs, TIMEOUT_MS_MAX), timer.signal).then(() => {
      if (!timer.signal.aborted) abort.abort('timed_out' satisfies Stop);
    });
    const answer = await this.#answer(call, abort.signal);
    timer.abort();
    const durationMs = Math.max(0, Math.round(clock.monotonicNow() - startedAt));
    if (!abort.signal.aborted) {
      const output = capText(answer.output, TOOL_OUTPUT_BYTES_MAX);
      return { outcome: answer.ok ? 'ok' : 'failed', output, exitCode: answer.exitCode, durationMs };
    }
    const stop = abort.signal.reason as Stop; // nothing else aborts it
    const outcome = stop === 'ended' ? 'unknown' : stop;
    return { outcome, output: stopped(answer.output, stop, call.timeoutMs), durationMs };
  }

  /** What the tool says, or what is to be said of it; never rejects. */
  async #answer(call: ToolCall, signal: AbortSignal): Promise<ToolAnswer> {
    const { tools, sandbox, complain } = this.#ports;
    const tool = tools.find(({ name }) => name === call.tool);
    if (tool === undefined) {
      const names = tools.map(({ name }) => name).join(', ');
      return { ok: false, output: `There is no tool "${call.tool}". The tools are: ${names}.` };
    }
    const defect = defectOf(tool, call.input);
    if (defect !== undefined) return { ok: false, output: defect };
    if (signal.aborted) return { ok: false, output: '' };
    try {
      // defectOf has checked that the input is an object with the fields of the schema
      const input = call.input as ToolInput;
      return await tool.run(input, { sandbox, callId: call.callId, signal, changes: this.#changes });
    } catch (error) {
      if (error instanceof FileRefused) return { ok: false, output: error.message };
      complain(`the tool ${call.tool} broke`, error);
      return { ok: false, output: `The tool ${call.tool} broke: ${String(error)}` };
    }
  }
}

function stopped(output: string, stop: Stop, timeoutMs: number): string {
  const why = {
    timed_out: `[timed out after ${timeoutMs} ms: it was ended with everything it had started]`,
    canceled: '[canceled: it was ended with everything it had started]',
    ended:
      '[cut off: the server stopped, and this was ended with everything it had started. It may have taken effect in part: look before you do it again]',
  }[stop];
  const room = TOOL_OUTPUT_BYTES_MAX - Buffer.byteLength(why) - 1;
  const text = capText(output, room);
  return text === '' || text.endsWith('\n') ? `${text}${why}` : `${text}\n${why}`;
}

function failed(output: string): ToolResult {
  return { outcome: 'failed', output, durationMs: 0 };
}

type Received =
  | ({ readonly kind: 'call' } & ToolCall)
  | { readonly kind: 'cancel'; readonly callId: string }
  | { readonly kind: 'background' };

function parse(line: string): Received {
  const message: unknown = JSON.parse(line);
  assert(
    typeof message === 'object' && message !== null && 'kind' in message,
    'a line of the wire is a message',
  );
  if (message.kind === 'background') return { kind: 'background' };
  assert('callId' in message && typeof message.callId === 'string', 'every other message names a call');
  const { callId } = message;
  assert(CALL_ID.test(callId), `a call id is a safe file name, got ${JSON.stringify(callId)}`);
  if (message.kind === 'cancel') return { kind: 'cancel', callId };
  assert(message.kind === 'call', 'a message is call, cancel or background');
  assert('tool' in message && typeof message.tool === 'string', 'a call names its tool');
  assert(
    'timeoutMs' in message && typeof message.timeoutMs === 'number' && message.timeoutMs > 0,
    'a call has a deadline',
  );
  const input = 'input' in message ? message.input : undefined;
  return { kind: 'call', callId, tool: message.tool, input, timeoutMs: message.timeoutMs };
}
