/** What a tool is: what the model is told of it, and how it runs on a Sandbox. A tool knows nothing of processes. */
import { cutText } from './characters.ts';
import type { SerialQueue } from './serial-queue.ts';
import type { Sandbox } from './sandbox.ts';

/** Of a field that is none: enough to see which one is meant. */
const NAME_CHARS_SHOWN = 100;

type PropertyType = 'string' | 'integer' | 'boolean';

export interface ToolProperty {
  readonly type: PropertyType;
  readonly description: string;
}

/** JSON schema of an object with plain fields: all that the tools need, and all that `defectOf` checks. */
export interface ToolSchema {
  readonly type: 'object';
  readonly properties: Readonly<Record<string, ToolProperty>>;
  readonly required: readonly string[];
}

export type ToolInput = Readonly<Record<string, unknown>>;

export interface ToolContext {
  readonly sandbox: Sandbox;
  readonly callId: string;
  /** Aborts at the deadline and at a cancel; the tool then answers what it has. */
  readonly signal: AbortSignal;
  /** Whatever changes a file does it in here, from its first look at it to the last byte. */
  readonly changes: SerialQueue;
}

export interface ToolAnswer {
  readonly ok: boolean;
  /** For the model; the server cuts what is over TOOL_OUTPUT_BYTES_MAX. */
  readonly output: string;
  readonly exitCode?: number | undefined;
}

export interface Tool {
  readonly name: string;
  readonly description: string;
  readonly schema: ToolSchema;
  /** `input` has passed `defectOf`. Throws FileRefused; anything else that it throws is a defect of the tool. */
  run(input: ToolInput, context: ToolContext): Promise<ToolAnswer>;
}

/** What is wrong with the input of a call, in words for the model; undefined when nothing is. */
export function defectOf(tool: Pick<Tool, 'name' | 'schema'>, input: unknown): string | undefined {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    return `The input of ${tool.name} must be an object.`;
  }
  const given = new Map<string, unknown>(Object.entries(input));
  for (const name of tool.schema.required) {
    if (!given.has(name)) return `The input of ${tool.name} lacks "${name}".`;
  }
  for (const [name, value] of given) {
    const property = Object.hasOwn(tool.schema.properties, name) ? tool.schema.properties[name] : undefined;
    if (property === undefined) {
      const known = Object.keys(tool.schema.properties).join(', ');
      return `The input of ${tool.name} has no field "${cutText(name, NAME_CHARS_SHOWN)}"; its fields are: ${known}.`.toWellFormed();
    }
    if (!fits(property.type, value)) return `"${name}" of ${tool.name} must be of type ${property.type}.`;
  }
  return undefined;
}

/** Fields of a checked input. */
export function textOf(input: ToolInput, name: string): string | undefined {
  const value = input[name];
  return typeof value === 'string' ? value : undefined;
}

export function numberOf(input: ToolInput, name: string): number | undefined {
  const value = input[name];
  return typeof value === 'number' ? value : undefined;
}

function fits(type: PropertyType, value: unknown): boolean {
  return type === 'integer' ? Number.isSafeInteger(value) : typeof value === type;
}
