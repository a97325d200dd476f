/** Tools that an agent declares, in and out: somebody outside runs them (schema/tool-answer.ts). */
import type { AgentTool, GivenTool } from '../src/sessions/agent-tool.ts';
import {
  AGENT_TOOLS_BYTES_MAX,
  AGENT_TOOLS_MAX,
  TOOL_TIMEOUT_SECONDS_MAX,
} from '../src/sessions/agent-tool.ts';
import { builder } from './builder.ts';
import { costing } from './cost.ts';

const TOOL = {
  name: '1 to 64 letters, digits, _ and -; not the name of a tool that every session has.',
  description: 'For the model: what it does, and when it is of use; at most 8 KiB.',
  inputSchema:
    'JSON Schema of its input, draft 2020-12 (or draft-07 where `$schema` says so), with `"type": "object"` at the top; at most 32 KiB.',
  timeoutSeconds: `Seconds after which a call that nobody has answered is given up, which the model is told: 1 to ${TOOL_TIMEOUT_SECONDS_MAX}.`,
} as const;

export const TOOLS_DESCRIPTION = `Tools that somebody outside runs, beside those of every session: at most ${AGENT_TOOLS_MAX}, and ${AGENT_TOOLS_BYTES_MAX / 1024} KiB.`;

/** What an agent's tools count as in the cost of a query: most are a few KiB. */
const TOOLS_POINTS = 128;

export const AgentToolInput = builder.inputType('AgentToolInput', {
  description:
    'A tool that somebody outside runs: a call of it waits until answerToolCall says what came of it.',
  fields: (t) => ({
    name: t.string({ required: true, description: TOOL.name }),
    description: t.string({ required: true, description: TOOL.description }),
    inputSchema: t.field({ type: 'JSON', required: true, description: TOOL.inputSchema }),
    timeoutSeconds: t.field({
      type: 'SafeInt',
      description: `${TOOL.timeoutSeconds} Left out: it waits for as long as it takes.`,
    }),
  }),
});

const AgentToolType = builder.objectRef<AgentTool>('AgentTool').implement({
  description: 'A tool that somebody outside runs.',
  fields: (t) => ({
    name: t.exposeString('name', { description: TOOL.name }),
    description: t.exposeString('description', { description: TOOL.description }),
    inputSchema: t.field({
      type: 'JSON',
      description: TOOL.inputSchema,
      resolve: ({ inputSchema }) => inputSchema,
    }),
    timeoutSeconds: t.field({
      type: 'SafeInt',
      nullable: true,
      description: `${TOOL.timeoutSeconds} null: it waits for as long as it takes.`,
      resolve: ({ timeoutSeconds }) => timeoutSeconds ?? null,
    }),
  }),
});

/** For the options of Agent.tools. */
export const TOOLS_FIELD = {
  type: [AgentToolType] as [typeof AgentToolType],
  description: TOOLS_DESCRIPTION,
  ...costing({ points: TOOLS_POINTS, items: AGENT_TOOLS_MAX, bytes: AGENT_TOOLS_BYTES_MAX }),
};

/** GraphQL's null is what is left out. */
export function toolsOf(
  given: readonly (Omit<GivenTool, 'inputSchema'> & { readonly inputSchema?: unknown })[] | null | undefined,
): readonly GivenTool[] | undefined {
  return given?.map(({ name, description, inputSchema, timeoutSeconds }) => ({
    name,
    description,
    inputSchema,
    ...(timeoutSeconds === null || timeoutSeconds === undefined ? {} : { timeoutSeconds }),
  }));
}
