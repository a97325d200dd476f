/**
 * The tools that the model is offered. All but `ask` run in the hands and are defined there; `ask` is done by the brain. The order is fixed: it is part of the cached prefix of every request.
 */
import { defectOf as defectOfInput, type Tool } from '../hands/tool.ts';
import { HANDS_TOOLS } from '../hands/tool-table.ts';
import type { ToolSpec } from './model.ts';

/** A tool that runs longer ends with `timed_out`; `bash` may ask for another bound. */
export const TOOL_TIMEOUT_MS = 120_000;
/** The longest that `bash` may ask for: a build fits, a forgotten server does not. */
export const BASH_TIMEOUT_MS_MAX = 600_000;

/** Of the name of a tool that there is not, as it is told to the model. */
const UNKNOWN_TOOL_CHARS_MAX = 64;

export const ASK = 'ask';

type BuiltInTool = Pick<Tool, 'name' | 'description' | 'schema'>;

const ASK_TOOL: BuiltInTool = {
  name: ASK,
  description:
    'Ask the user a question that you cannot answer yourself, and stop until they answer. Use it only when you cannot go on without.',
  schema: {
    type: 'object',
    properties: { question: { type: 'string', description: 'The question, complete in itself.' } },
    required: ['question'],
  },
};

export const TOOLBOX: readonly BuiltInTool[] = [...HANDS_TOOLS, ASK_TOOL].map(
  ({ name, description, schema }) => ({
    name,
    description,
    schema,
  }),
);

/** What is wrong with a call, in words for the model; undefined when nothing is. `offered`: those that it may choose from. */
export function defectOf(
  tool: string,
  input: unknown,
  offered: readonly ToolSpec[] = TOOLBOX,
): string | undefined {
  const spec = TOOLBOX.find((candidate) => candidate.name === tool);
  if (spec !== undefined) return defectOfInput(spec, input);
  return `There is no tool "${tool.slice(0, UNKNOWN_TOOL_CHARS_MAX)}". The tools are: ${offered.map((known) => known.name).join(', ')}.`;
}

/** How long a call may take. */
export function timeoutMsOf(input: unknown): number {
  const asked = isRecord(input) ? input['timeout_ms'] : undefined;
  if (typeof asked !== 'number' || asked < 1) return TOOL_TIMEOUT_MS;
  return Math.min(asked, BASH_TIMEOUT_MS_MAX);
}

/** The question of an `ask` whose input has no defect. */
export function questionOf(input: unknown): string {
  return isRecord(input) ? String(input['question']) : '';
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
