/**
 * Tools that an agent declares (client tools): the model calls them, and somebody outside runs them and answers (tool-answer.ts). They are of
 * the agent's revision, so a session has those that it was started with.
 *
 * TOOLS-1 What is declared is what a model service takes and what can be checked in bounded time: names, sizes and form are looked at here,
 *    the schema's form in tool-schema.ts, and that it compiles by the validator (ToolSchemas). What does not pass changes nothing.
 */
import { InvalidInput } from '../kernel/fault.ts';
import { parseCount, parseText } from '../kernel/parse.ts';
import { requestHash } from '../kernel/request-hash.ts';
import { wellFormedJson } from '../kernel/well-formed.ts';
import { isJson } from '../journal/codec.ts';
import { type JsonSchema, schemaDefect } from './tool-schema.ts';

export interface AgentTool {
  readonly name: string;
  /** For the model: what the tool does, and when it is of use. */
  readonly description: string;
  /** JSON Schema of its input, an object. */
  readonly inputSchema: JsonSchema;
  /** A call that nobody has answered by then has timed out; absent: it waits for as long as it takes. */
  readonly timeoutSeconds?: number | undefined;
}

/** As somebody gives it. */
export interface GivenTool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: unknown;
  readonly timeoutSeconds?: number | null | undefined;
}

/** The validator, as far as a declaration needs it. Implemented by platform/ajv. */
export interface ToolSchemas {
  /** Why the validator does not take a schema that has passed `schemaDefect`; undefined: it does. In bounded time, others in between. */
  whyNot(schema: JsonSchema): Promise<string | undefined>;
}

/** Tools of one agent: models choose badly among more, and all are in each of its requests. */
export const AGENT_TOOLS_MAX = 64;
/** All of an agent's tools as JSON: some thirty thousand tokens of each request. */
export const AGENT_TOOLS_BYTES_MAX = 128 * 1024;
/** What the model is told of one tool: a page. */
export const TOOL_DESCRIPTION_BYTES_MAX = 8 * 1024;
/** The longest that a call may be waited for, in seconds: thirty days. Who needs longer leaves it out, and the call waits. */
export const TOOL_TIMEOUT_SECONDS_MAX = 2_592_000;

/** As the model service takes names of tools (platform.claude.com/docs, "Define tools": input of a request). */
const NAME = /^[a-zA-Z0-9_-]{1,64}$/;
/** Those that each session has (brain/toolbox.ts); test/brain/client-tools.test.ts looks that these are all. */
export const BUILT_IN_TOOLS: readonly string[] = ['bash', 'read', 'write', 'edit', 'list', 'grep', 'ask'];

/** Undefined when there is none. Throws InvalidInput. */
export function parseTools(given: readonly GivenTool[] | undefined): readonly AgentTool[] | undefined {
  if (given === undefined || given.length === 0) return undefined;
  if (given.length > AGENT_TOOLS_MAX) {
    throw new InvalidInput('tools', `expected at most ${AGENT_TOOLS_MAX} tools, got ${given.length}.`);
  }
  const tools = given.map((tool, index) => parseTool(tool, `tools[${index}]`));
  const names = tools.map(({ name }) => name);
  const twice = names.findIndex((name, index) => names.indexOf(name) < index);
  if (twice >= 0) {
    throw new InvalidInput(`tools[${twice}].name`, 'expected a name that no other tool of this agent has.');
  }
  const bytes = Buffer.byteLength(JSON.stringify(tools));
  if (bytes > AGENT_TOOLS_BYTES_MAX) {
    throw new InvalidInput(
      'tools',
      `expected at most ${AGENT_TOOLS_BYTES_MAX} bytes of JSON for all tools together, got ${bytes}. Shorten descriptions and schemas.`,
    );
  }
  return tools;
}

/** Throws InvalidInput naming the tool whose schema the validator does not take (TOOLS-1). */
export async function checkSchemas(
  schemas: ToolSchemas | undefined,
  tools: readonly AgentTool[] | undefined = [],
): Promise<void> {
  if (schemas === undefined) return;
  for (const [index, { inputSchema }] of tools.entries()) {
    const why = await schemas.whyNot(inputSchema);
    if (why !== undefined) throw new InvalidInput(`tools[${index}].inputSchema`, why);
  }
}

export function isSameTools(one: readonly AgentTool[] = [], other: readonly AgentTool[] = []): boolean {
  return requestHash(one) === requestHash(other);
}

function parseTool(given: GivenTool, field: string): AgentTool {
  const { name } = given;
  if (!NAME.test(name)) {
    throw new InvalidInput(`${field}.name`, 'expected 1 to 64 letters, digits, _ and -.');
  }
  if (BUILT_IN_TOOLS.includes(name)) {
    throw new InvalidInput(
      `${field}.name`,
      `expected another name: ${BUILT_IN_TOOLS.join(', ')} are tools of every session.`,
    );
  }
  const description = parseText(`${field}.description`, given.description, TOOL_DESCRIPTION_BYTES_MAX);
  const timeoutSeconds = parseCount(
    `${field}.timeoutSeconds`,
    given.timeoutSeconds ?? undefined,
    1,
    TOOL_TIMEOUT_SECONDS_MAX,
  );
  const inputSchema = parseSchema(given.inputSchema, `${field}.inputSchema`);
  return { name, description, inputSchema, ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }) };
}

function parseSchema(given: unknown, field: string): JsonSchema {
  if (typeof given !== 'object' || given === null || Array.isArray(given) || !isJson(given)) {
    throw new InvalidInput(field, 'expected a JSON Schema: an object whose "type" is "object".');
  }
  const schema = wellFormedJson(given) as JsonSchema; // an object stays one
  const defect = schemaDefect(schema);
  if (defect !== undefined) throw new InvalidInput(field, defect);
  return schema;
}
