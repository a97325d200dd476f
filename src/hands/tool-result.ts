/**
 * The form of a result, checked wherever one comes from a place that commands can write to, or could in an earlier version: the line to
 * the hands, and the results folder. What passes can be journalled: the event tool.result takes the same numbers.
 */
import { TOOL_OUTPUT_BYTES_MAX } from '../kernel/limit.ts';
import { capText } from './capped-text.ts';
import type { ToolOutcome, ToolResult } from './wire.ts';

const OUTCOMES: readonly ToolOutcome[] = ['ok', 'failed', 'timed_out', 'canceled', 'unknown'];

/** For a call that may have been started by hands that can no longer be asked (wire.ts HANDS-1). */
export const LOST: ToolResult = {
  outcome: 'unknown',
  output:
    'This call was started, and the process that ran it died before the result was known. It may have taken effect in part or as a whole: look before you do it again.',
  durationMs: 0,
};

/** The result in `value`, its output cut to what the conversation takes; undefined when it is none. */
export function resultOf(value: unknown): ToolResult | undefined {
  if (!isRecord(value)) return undefined;
  const { output, durationMs, exitCode } = value;
  const outcome = OUTCOMES.find((known) => known === value['outcome']);
  if (outcome === undefined || typeof output !== 'string' || !isCount(durationMs)) return undefined;
  if (exitCode !== undefined && !isCount(exitCode)) return undefined;
  return { outcome, output: capText(output, TOOL_OUTPUT_BYTES_MAX), exitCode, durationMs };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
