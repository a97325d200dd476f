/** Rules about the tools that a request offers, and about its choice of one. */
import { type Fields, isFields, listOf } from '../json-value.ts';
import type { RequestRule, Values } from '../request-rule.ts';
import type { ServiceRequest } from '../service-request.ts';
import { isSchema } from './json-schema.ts';

type ToolRule = RequestRule<ServiceRequest>;

const NONE = {};
const NAME = /^[a-zA-Z0-9_-]{1,128}$/;
const PROPERTY_NAME = /^[a-zA-Z0-9_.-]{1,64}$/;
/** Of `Tool` in @anthropic-ai/sdk 1.12. */
const TOOL_FIELDS = new Set(
  'name description input_schema cache_control type strict defer_loading allowed_callers eager_input_streaming input_examples'.split(
    ' ',
  ),
);
const CHOICES = ['auto', 'any', 'tool', 'none'];
const COMPOSITIONS = ['oneOf', 'allOf', 'anyOf'];

export const TOOL_RULES: readonly ToolRule[] = [
  {
    id: 'tools.type',
    refuses: '`tools` that is no list of objects',
    message: 'tools: Input should be a valid list',
    source: 'API reference',
    find({ body: { tools } }) {
      if (tools === undefined) return undefined;
      return Array.isArray(tools) && tools.every(isFields) ? undefined : NONE;
    },
  },
  ownTool('tools.name', {
    refuses: 'a name that is not 1 to 128 letters, digits, `_` and `-`',
    message: "tools.{at}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
    source: 'Define tools; claude-code 2680',
    breaks: (tool) => typeof tool['name'] !== 'string' || !NAME.test(tool['name']),
  }),
  {
    id: 'tools.unique',
    refuses: 'two tools of one name',
    message: 'tools: Tool names must be unique.',
    source: 'Define tools',
    find({ body }) {
      const names = listOf(body['tools']).flatMap((tool) => (isFields(tool) ? [tool['name']] : []));
      return new Set(names).size < names.length ? NONE : undefined;
    },
  },
  ownTool('tools.description', {
    refuses: 'a description that is no text',
    message: 'tools.{at}.custom.description: Input should be a valid string',
    source: 'API reference',
    breaks: ({ description }) => description !== undefined && typeof description !== 'string',
  }),
  {
    id: 'tools.field',
    refuses: 'a field that a tool does not have',
    message: 'tools.{at}.custom.{field}: Extra inputs are not permitted',
    source: 'API reference; claude-code 4378',
    find(request) {
      for (const [at, tool] of ownTools(request)) {
        const field = Object.keys(tool).find((name) => !TOOL_FIELDS.has(name));
        if (field !== undefined) return { at, field };
      }
      return undefined;
    },
  },
  ownTool('tools.schema', {
    refuses: 'no `input_schema`',
    message: 'tools.{at}.custom.input_schema: Field required',
    source: 'Define tools',
    breaks: (tool) => !isFields(tool['input_schema']),
  }),
  ownTool('tools.schema.type.missing', {
    refuses: 'a schema without a `type`',
    message: 'tools.{at}.custom.input_schema.type: Field required',
    source: 'Define tools',
    breaks: (tool) => schemaOf(tool)['type'] === undefined,
  }),
  ownTool('tools.schema.type', {
    refuses: 'a schema whose `type` is not `object`',
    message: "tools.{at}.custom.input_schema.type: Input should be 'object'",
    source: 'Define tools',
    breaks: (tool) => schemaOf(tool)['type'] !== 'object',
  }),
  ownTool('tools.schema.top', {
    refuses: '`oneOf`, `allOf` or `anyOf` at the top of a schema',
    message:
      'tools.{at}.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level',
    source: 'claude-code 5319; kata 365',
    breaks: (tool) => COMPOSITIONS.some((name) => schemaOf(tool)[name] !== undefined),
  }),
  ownTool('tools.schema.property', {
    refuses: 'a property whose name is not 1 to 64 letters, digits, `_`, `.` and `-`',
    message:
      "tools.{at}.custom.input_schema.properties: Property keys should match pattern '^[a-zA-Z0-9_.-]{1,64}$'",
    source: 'Managed agents, self-hosted sandboxes; OmniRoute 13552',
    breaks(tool) {
      const { properties } = schemaOf(tool);
      return isFields(properties) && !Object.keys(properties).every((name) => PROPERTY_NAME.test(name));
    },
  }),
  ownTool('tools.schema.draft', {
    refuses: 'a schema that is not one of draft 2020-12',
    message:
      'tools.{at}.custom.input_schema: JSON schema is invalid. It must match JSON Schema draft 2020-12 (https://json-schema.org/draft/2020-12). Learn more about tool use at https://docs.claude.com/en/docs/tool-use.',
    source: 'claude-code 63673, 9605',
    breaks: (tool) => !isSchema(tool['input_schema']),
  }),
  {
    id: 'tool_choice.alone',
    refuses: '`tool_choice` without tools',
    message: 'tool_choice may only be specified while providing tools.',
    source: 'Define tools (our wording)',
    find: ({ body }) =>
      body['tool_choice'] === undefined || listOf(body['tools']).length > 0 ? undefined : NONE,
  },
  {
    id: 'tool_choice.type',
    refuses: '`tool_choice` whose `type` is not auto, any, tool or none',
    message:
      "tool_choice: Input tag '{type}' found using 'type' does not match any of the expected tags: 'auto', 'any', 'tool', 'none'",
    source: 'API reference',
    find({ body: { tool_choice: choice } }) {
      if (choice === undefined) return undefined;
      const type = isFields(choice) ? choice['type'] : undefined;
      return CHOICES.some((known) => known === type) ? undefined : { type: String(type) };
    },
  },
  {
    id: 'tool_choice.name',
    refuses: 'the choice of a tool that is not among the tools',
    message: "tool_choice: Tool '{name}' not found in provided tools",
    source: 'Define tools (our wording)',
    find({ body }) {
      const choice = body['tool_choice'];
      if (!isFields(choice) || choice['type'] !== 'tool') return undefined;
      const names = listOf(body['tools']).map((tool) => (isFields(tool) ? tool['name'] : undefined));
      return names.includes(choice['name']) ? undefined : { name: String(choice['name']) };
    },
  },
];

/** A rule about each tool of the caller's. */
function ownTool(
  id: string,
  rule: Pick<ToolRule, 'refuses' | 'message' | 'source'> & { readonly breaks: (tool: Fields) => boolean },
): ToolRule {
  const { breaks, ...told } = rule;
  return {
    id,
    ...told,
    find(request): Values | undefined {
      const broken = ownTools(request).find(([, tool]) => breaks(tool));
      return broken === undefined ? undefined : { at: broken[0] };
    },
  };
}

/** Not those of the service, whose `type` says what they are. */
function ownTools({ body }: ServiceRequest): readonly (readonly [at: number, tool: Fields])[] {
  return listOf(body['tools']).flatMap((tool, at) => {
    if (!isFields(tool)) return [];
    return tool['type'] === undefined || tool['type'] === null || tool['type'] === 'custom'
      ? [[at, tool] as const]
      : [];
  });
}

function schemaOf(tool: Fields): Fields {
  return isFields(tool['input_schema']) ? tool['input_schema'] : {};
}
