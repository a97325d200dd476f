/**
 * Tools that somebody outside runs, as the brain offers them: after its own, in the order of the agent. The brain asks nobody to run them: the
 * call waits from the append that journals it on (sessions/tool-requests.ts), and its result is in the log when the brain comes back.
 *
 * TOOLS-2 A call whose input does not fit its schema waits for nobody: it is journalled with what is wrong, which is its result, for the model
 *    to mend. So who answers calls is only asked about inputs that fit.
 */
import type { Assignment } from '../sessions/unit-wire.ts';
import type { ToolSpec } from './model.ts';
import { TOOLBOX } from './toolbox.ts';

/** The port to what checks inputs; platform/ajv/tool-inputs.ts implements it. */
export interface ToolInputs {
  /** For the calls of one answer. What it answers says what is wrong with an input, for the model; undefined: nothing, or it is another's tool. */
  checks(): InputCheck;
}
export type InputCheck = (tool: string, input: unknown) => string | undefined;

/** Nothing is checked: of a session without such tools. */
export const NO_CHECK: InputCheck = () => undefined;

/** A later version may have a tool of its own under a name that an agent has given: the agent's stays, since names are there once. */
export function offeredTools(own: readonly ToolSpec[] = []): readonly ToolSpec[] {
  const names = new Set(own.map(({ name }) => name));
  return own.length === 0 ? TOOLBOX : [...TOOLBOX.filter(({ name }) => !names.has(name)), ...own];
}

export function specsOf({ tools = [] }: Pick<Assignment, 'tools'>): readonly ToolSpec[] {
  return tools.map(({ name, description, inputSchema: schema }) => ({ name, description, schema }));
}
