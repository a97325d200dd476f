/**
 * Tool calls of one answer, in parallel. Each result is written when it is there; a call that cannot be made is answered
 * at once with what is wrong, for the model to mend.
 */
import type { NewEvent } from '../journal/event.ts';
import type { ToolResult } from '../hands/wire.ts';
import type { TurnId } from '../kernel/id.ts';
import type { ToolCallItem } from './conversation.ts';
import { ASK, defectOf, questionOf, timeoutMsOf } from './toolbox.ts';
import type { Unit } from './unit.ts';

const ASKED = 'The user was asked. The turn ends here; their answer comes with the next message.';
const CANCELED: ToolResult = { outcome: 'canceled', output: 'Canceled: the turn was stopped.', durationMs: 0 };

/** The result of one call; rejects as Unit.runTool does. */
export async function runTool(unit: Unit, call: ToolCallItem, signal: AbortSignal): Promise<ToolResult> {
  const defect = defectOf(call.tool, call.input);
  if (defect !== undefined) return { outcome: 'failed', output: defect, durationMs: 0 };
  if (call.tool === ASK) return { outcome: 'ok', output: ASKED, durationMs: 0 };
  const { tool, input, callId } = call;
  return unit.runTool(callId, { tool, input, timeoutMs: timeoutMsOf(input) }, signal);
}

/** The result as events; the question of an `ask` becomes a message to the user in the same append. */
export function resultEvents(turnId: TurnId, call: ToolCallItem, result: ToolResult): readonly NewEvent[] {
  const { callId, tool } = call;
  const { outcome, output, durationMs, exitCode } = result;
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

/** What is written for a call of a turn that was stopped. */
export function canceledEvents(turnId: TurnId, call: ToolCallItem): readonly NewEvent[] {
  return resultEvents(turnId, call, CANCELED);
}
