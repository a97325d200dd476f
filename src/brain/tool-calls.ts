/**
 * Tool calls of one answer, in parallel. Each result is written when it is there; a call that cannot be made is answered
 * at once with what is wrong, for the model to mend.
 */
import type { NewEvent } from '../journal/event.ts';
import { END_GRACE_MS } from '../hands/limit.ts';
import type { ToolResult } from '../hands/wire.ts';
import type { Clock } from '../kernel/clock.ts';
import type { TurnId } from '../kernel/id.ts';
import type { OpenToolCall, ToolCallItem } from './item.ts';
import type { ToolSpec } from './model.ts';
import { ASK, defectOf, questionOf, timeoutMsOf } from './toolbox.ts';
import { isInvalid, type Unit } from './unit.ts';

const ASKED = 'The user was asked. The turn ends here; their answer comes with the next message.';
/** Of an input that was changed: as much as tells what was meant. */
const CHANGED_CHARS_SHOWN = 2_000;
const CANCELED: ToolResult = {
  outcome: 'canceled',
  output: 'Canceled: the turn was stopped.',
  durationMs: 0,
};

/**
 * How long results of canceled tools are waited for before they are written as canceled: their grace, and a little for what is killed
 * then. Well below the time that the supervisor gives a stopped turn (8 s), so that the results and the end of the turn are written
 * before it steps in.
 */
const CANCEL_WAIT_MS = END_GRACE_MS + 1_000;

/**
 * Runs calls at the same time, those of `later` beside them as soon as they may run, and hands each result to `record`. When `wanted` aborts, the running ones are canceled and
 * their results waited for a little; when `signal` aborts, the waits end and the tools go on. Rejects with the first
 * failure, after all waits have ended.
 */
export async function runTools(
  ports: { readonly unit: Unit; readonly clock: Clock; readonly offered?: readonly ToolSpec[] | undefined },
  calls: readonly OpenToolCall[],
  signals: { readonly wanted: AbortSignal; readonly signal: AbortSignal },
  record: (call: OpenToolCall, result: ToolResult) => Promise<void>,
  later: LaterCalls = NONE_LATER,
): Promise<void> {
  const { wanted, signal } = signals;
  const running: OpenToolCall[] = [];
  const abort = new AbortController();
  const waiting = AbortSignal.any([signal, abort.signal]);
  let canceling: Promise<void> | undefined;
  const cancel = (): void => {
    canceling ??= cancelRunning(ports, running, abort, waiting);
  };
  let failed: { readonly error: unknown } | undefined;
  const ends: Promise<void>[] = [];
  const run = async (call: OpenToolCall): Promise<void> => {
    try {
      await record(call, await runTool(ports, call, waiting));
    } catch (error) {
      if (waiting.aborted) return;
      abort.abort(); // the other waits end too; whoever comes next fetches those results
      failed = { error };
    }
  };
  const start = (some: readonly OpenToolCall[]): void => {
    for (const call of some) {
      if (running.some(({ callId }) => callId === call.callId)) continue;
      running.push(call);
      ends.push(run(call));
    }
  };
  start(calls);
  wanted.addEventListener('abort', cancel, { once: true });
  if (wanted.aborted) cancel();
  const unsubscribe = later.onChange(() => {
    if (!wanted.aborted && !waiting.aborted) start(later.calls());
  });
  for (let at = 0; at < ends.length; at += 1) await ends[at]; // there may be more by then
  unsubscribe();
  wanted.removeEventListener('abort', cancel);
  abort.abort();
  await canceling;
  if (failed !== undefined) throw failed.error;
}

/** Calls that may run by now: somebody has approved them while others ran. */
export interface LaterCalls {
  /** Those that run already may be among them. */
  calls(): readonly OpenToolCall[];
  onChange(listener: () => void): () => void;
}
const NONE_LATER: LaterCalls = { calls: () => [], onChange: () => () => undefined };

/** The result as events; the question of an `ask` becomes a message to the user in the same append. */
export function resultEvents(
  turnId: TurnId,
  call: ToolCallItem & { readonly isChanged?: boolean | undefined },
  result: ToolResult,
): readonly NewEvent[] {
  const { callId, tool } = call;
  const { outcome, durationMs, exitCode } = result;
  const output = call.isChanged === true ? `${changedNote(call.input)}\n\n${result.output}` : result.output;
  const body = { callId, tool, outcome, output, durationMs, ...(exitCode === undefined ? {} : { exitCode }) };
  const ended: NewEvent = { type: 'tool.result', actor: { kind: 'system' }, turnId, body };
  if (tool !== ASK || outcome !== 'ok') return [ended];
  const question: NewEvent = {
    type: 'agent.message',
    actor: { kind: 'agent' },
    turnId,
    level: 'user',
    body: { callId: callId.slice(0, callId.lastIndexOf('.')), text: questionOf(call.input) },
  };
  return [ended, question];
}

/** The model knows only what it passed. */
function changedNote(input: unknown): string {
  const text = JSON.stringify(input);
  const shown =
    text.length > CHANGED_CHARS_SHOWN ? `${text.slice(0, CHANGED_CHARS_SHOWN).toWellFormed()} …` : text;
  return `Whoever approved this call changed its input. It ran with: ${shown}`;
}

/** What is written for a result that the journal refuses. */
export function unwritableResult(
  turnId: TurnId,
  call: ToolCallItem,
  refused: ToolResult,
  reason: string,
): readonly NewEvent[] {
  const output = `The tool ran, but its result cannot be kept (${reason})`;
  // of the result nothing is taken over unchecked: it is what was refused. A tool that ran has a duration (supervisor/workspace-log.ts).
  const durationMs = Number.isSafeInteger(refused.durationMs) ? Math.max(1, refused.durationMs) : 1;
  return resultEvents(turnId, call, { outcome: 'failed', output, durationMs });
}

/** What is written for a call of a turn that was stopped. */
export function canceledEvents(turnId: TurnId, call: ToolCallItem): readonly NewEvent[] {
  return resultEvents(turnId, call, CANCELED);
}

/** Tells the hands, waits a little for what they answer, then ends the waits. */
async function cancelRunning(
  { unit, clock }: { readonly unit: Unit; readonly clock: Clock },
  calls: readonly OpenToolCall[],
  abort: AbortController,
  waiting: AbortSignal,
): Promise<void> {
  if (!waiting.aborted) {
    await Promise.allSettled(calls.map((call) => unit.cancelTool(call.callId, waiting)));
    await clock.sleep(CANCEL_WAIT_MS, waiting);
  }
  abort.abort();
}

/** The result of one call; rejects as Unit.runTool does, but for a call that the door does not take. */
async function runTool(
  { unit, offered }: { readonly unit: Unit; readonly offered?: readonly ToolSpec[] | undefined },
  call: OpenToolCall,
  signal: AbortSignal,
): Promise<ToolResult> {
  const defect = call.defect ?? defectOf(call.tool, call.input, offered);
  if (defect !== undefined) return { outcome: 'failed', output: defect, durationMs: 0 };
  if (call.tool === ASK) return { outcome: 'ok', output: ASKED, durationMs: 0 };
  const { tool, input, callId, inherited } = call;
  try {
    return await unit.runTool(callId, { tool, input, timeoutMs: timeoutMsOf(input), inherited }, signal);
  } catch (error) {
    if (!isInvalid(error)) throw error;
    return { outcome: 'failed', output: `The call was not made: ${error.message}`, durationMs: 0 };
  }
}
