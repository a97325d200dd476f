/**
 * The tools that the model is offered. All but `ask` run in the hands (hands/ has the other side of each); `ask` is
 * done by the brain. The order is fixed: it is part of the cached prefix of every request.
 */
import type { ToolSpec } from './model.ts';

/** A tool that runs longer ends with `timed_out`; `bash` may ask for another bound. */
export const TOOL_TIMEOUT_MS = 120_000;
/** The longest that `bash` may ask for: a build fits, a forgotten server does not. */
export const TOOL_TIMEOUT_MS_MAX = 600_000;

export const ASK = 'ask';

export const TOOLBOX: readonly ToolSpec[] = [
  {
    name: 'bash',
    description:
      'Run a command with bash in /workspace. Answers its output (stdout and stderr together) and exit code; long output keeps its head and tail.',
    schema: {
      type: 'object',
      properties: {
        command: { type: 'string', description: 'The command line.' },
        timeout_ms: {
          type: 'integer',
          description: `Milliseconds until it is killed; ${TOOL_TIMEOUT_MS} if left out.`,
        },
      },
      required: ['command'],
    },
  },
  {
    name: 'read',
    description: 'Read a text file; answers its lines, numbered.',
    schema: {
      type: 'object',
      properties: {
        path: { type: 'string', description: 'Path, absolute or relative to /workspace.' },
        offset: { type: 'integer', description: 'First line to read; 1 if left out.' },
        limit: { type: 'integer', description: 'How many lines to read.' },
      },
      required: ['path'],
    },
  },
  {
    name: 'write',
    description: 'Write a file, making its folders; what was there is replaced.',
    schema: {
      type: 'object',
      properties: {
        path: { type: 'string', description: 'Path, absolute or relative to /workspace.' },
        content: { type: 'string', description: 'The whole content.' },
      },
      required: ['path', 'content'],
    },
  },
  {
    name: 'edit',
    description: 'Replace a text in a file. The old text must be there exactly once, unless all is true.',
    schema: {
      type: 'object',
      properties: {
        path: { type: 'string', description: 'Path, absolute or relative to /workspace.' },
        old: { type: 'string', description: 'The text to be replaced, with enough around it to be unique.' },
        new: { type: 'string', description: 'The text that takes its place.' },
        all: { type: 'boolean', description: 'Replace every occurrence.' },
      },
      required: ['path', 'old', 'new'],
    },
  },
  {
    name: 'list',
    description: 'List a folder.',
    schema: {
      type: 'object',
      properties: { path: { type: 'string', description: 'The folder; /workspace if left out.' } },
      required: [],
    },
  },
  {
    name: 'grep',
    description: 'Search files for a regular expression; answers matching lines with path and line number.',
    schema: {
      type: 'object',
      properties: {
        pattern: { type: 'string', description: 'An extended regular expression.' },
        path: { type: 'string', description: 'File or folder to search; /workspace if left out.' },
      },
      required: ['pattern'],
    },
  },
  {
    name: ASK,
    description:
      'Ask the user a question that you cannot answer yourself, and stop until they answer. Use it only when you cannot go on without.',
    schema: {
      type: 'object',
      properties: { question: { type: 'string', description: 'The question, complete in itself.' } },
      required: ['question'],
    },
  },
];

/** What is wrong with a call, in words for the model; undefined when nothing is. */
export function defectOf(tool: string, input: unknown): string | undefined {
  const spec = TOOLBOX.find((candidate) => candidate.name === tool);
  if (spec === undefined) {
    return `There is no tool "${tool}". The tools are: ${TOOLBOX.map((known) => known.name).join(', ')}.`;
  }
  if (!isRecord(input)) return `The input of ${tool} must be an object.`;
  for (const name of spec.schema.required) {
    if (input[name] === undefined) return `The input of ${tool} lacks "${name}".`;
  }
  for (const [name, value] of Object.entries(input)) {
    const property = spec.schema.properties[name];
    if (property === undefined) return `The input of ${tool} has no field "${name}".`;
    if (!fits(property.type, value)) return `"${name}" of ${tool} must be of type ${property.type}.`;
  }
  return undefined;
}

/** How long a call may take. */
export function timeoutMsOf(input: unknown): number {
  const asked = isRecord(input) ? input['timeout_ms'] : undefined;
  if (typeof asked !== 'number' || asked < 1) return TOOL_TIMEOUT_MS;
  return Math.min(asked, TOOL_TIMEOUT_MS_MAX);
}

/** The question of an `ask` whose input has no defect. */
export function questionOf(input: unknown): string {
  return isRecord(input) ? String(input['question']) : '';
}

function fits(type: 'string' | 'integer' | 'boolean', value: unknown): boolean {
  return type === 'integer' ? Number.isSafeInteger(value) : typeof value === type;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
