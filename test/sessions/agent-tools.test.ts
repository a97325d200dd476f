/** What an agent may declare as tools (proves TOOLS-1). */
import { describe, expect, it } from 'vitest';
import { AjvToolSchemas } from '../../src/platform/ajv/tool-schemas.ts';
import {
  AGENT_TOOLS_BYTES_MAX,
  AGENT_TOOLS_MAX,
  checkSchemas,
  type GivenTool,
  parseTools,
  TOOL_TIMEOUT_SECONDS_MAX,
} from '../../src/sessions/agent-tool.ts';
import {
  schemaDefect,
  TOOL_PATTERN_CHARS_MAX,
  TOOL_SCHEMA_BYTES_MAX,
  TOOL_SCHEMA_DEPTH_MAX,
} from '../../src/sessions/tool-schema.ts';

const tool = (more: Partial<GivenTool> = {}): GivenTool => ({
  name: 'lookup',
  description: 'Looks it up.',
  inputSchema: { type: 'object' },
  ...more,
});
const named = (name: string): GivenTool => tool({ name });
const nested = (levels: number): object => (levels === 0 ? {} : { properties: { a: nested(levels - 1) } });

describe('tools', () => {
  it('are kept as they are given, and none is nothing', () => {
    const inputSchema = { type: 'object', properties: { id: {}, 'a.b': { properties: { $ref: {} } } } };

    expect(parseTools([tool({ inputSchema, timeoutSeconds: 5 })])).toEqual([
      { name: 'lookup', description: 'Looks it up.', inputSchema, timeoutSeconds: 5 },
    ]);
    expect(parseTools([tool({ timeoutSeconds: null })])?.[0]).not.toHaveProperty('timeoutSeconds');
    expect(parseTools([])).toBeUndefined();
    expect(parseTools(undefined)).toBeUndefined();
  });

  it.each([
    ['tools[0].name', [named('look up')]],
    ['tools[0].name', [named('')]],
    ['tools[0].name', [named('a'.repeat(65))]],
    ['tools[0].name', [named('bash')]],
    ['tools[1].name', [named('a'), named('a')]],
    ['tools[0].description', [tool({ description: ' ' })]],
    ['tools[0].description', [tool({ description: 'x'.repeat(9_000) })]],
    ['tools[0].timeoutSeconds', [tool({ timeoutSeconds: 0 })]],
    ['tools[0].timeoutSeconds', [tool({ timeoutSeconds: TOOL_TIMEOUT_SECONDS_MAX + 1 })]],
    ['tools[0].inputSchema', [tool({ inputSchema: undefined })]],
    ['tools[0].inputSchema', [tool({ inputSchema: 'object' })]],
    ['tools[0].inputSchema', [tool({ inputSchema: [] })]],
    ['tools', Array.from({ length: AGENT_TOOLS_MAX + 1 }, (_, at) => named(`t${at}`))],
    [
      'tools',
      Array.from({ length: 20 }, (_, at) =>
        tool({ name: `t${at}`, description: 'x'.repeat(AGENT_TOOLS_BYTES_MAX / 18) }),
      ),
    ],
  ])('that break a rule are refused by the field %s', (field, tools) => {
    expect(() => parseTools(tools)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT', field }));
  });
});

describe('a schema', () => {
  it.each([
    [{}, '"type": "object" at the top'],
    [{ type: 'array' }, '"type": "object" at the top'],
    [{ type: 'object', anyOf: [{}] }, 'no "anyOf" at the top'],
    [{ type: 'object', properties: { 'a b': {} } }, 'names of properties'],
    [{ type: 'object', $schema: 'http://json-schema.org/draft-04/schema#' }, '"$schema"'],
    [{ type: 'object', properties: { a: { $ref: 'https://example.com/a.json' } } }, 'nothing is fetched'],
    [{ type: 'object', properties: { a: { $ref: '#/properties/b' } } }, 'a "$ref" within the schema'],
    [{ type: 'object', $id: 'x' }, 'no "$id"'],
    [{ type: 'object', properties: { a: { $dynamicRef: '#x' } } }, 'no "$dynamicRef"'],
    [{ type: 'object', properties: { a: { $async: true } } }, 'no "$async"'],
    [{ type: 'object', $defs: { a: { items: { $anchor: 'x' } } } }, 'no "$anchor"'],
    [
      { type: 'object', properties: { a: { pattern: 'a'.repeat(TOOL_PATTERN_CHARS_MAX + 1) } } },
      'patterns of at most',
    ],
    [
      { type: 'object', patternProperties: { ['a'.repeat(TOOL_PATTERN_CHARS_MAX + 1)]: {} } },
      'patterns of at most',
    ],
    [{ type: 'object', properties: { a: JSON.parse('{"properties":{"__proto__":{}}}') } }, '__proto__'],
    [{ type: 'object', properties: { a: 3 } }, 'expected a schema'],
    [{ type: 'object', properties: { a: { allOf: [[]] } } }, 'expected a schema'],
    [{ type: 'object', ...nested(TOOL_SCHEMA_DEPTH_MAX) }, 'schemas in one another'],
    [{ type: 'object', description: 'x'.repeat(TOOL_SCHEMA_BYTES_MAX) }, 'bytes of JSON'],
  ])('%j is refused', (schema, said) => {
    expect(schemaDefect(schema)).toContain(said);
  });

  it.each([
    { type: 'object', ...nested(TOOL_SCHEMA_DEPTH_MAX - 1) },
    {
      type: 'object',
      properties: { a: { anyOf: [{ type: 'string' }, { $ref: '#/$defs/b' }] } },
      $defs: { b: true },
    },
    { type: 'object', properties: { child: { $ref: '#' } } },
    {
      type: 'object',
      properties: { a: { const: { $id: 'x' }, examples: [{ $ref: 'y' }], default: { id: 1 } } },
    },
    { $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object' },
    { $schema: 'http://json-schema.org/draft-07/schema#', type: 'object', dependencies: { a: ['b'], c: {} } },
  ])('%j is taken', (schema) => {
    expect(schemaDefect(schema)).toBeUndefined();
  });

  it.each([
    [{ type: 'object', properties: { a: { type: 'text' } } }, 'draft 2020-12'],
    [{ type: 'object', properties: { a: { items: [{}] } } }, 'draft 2020-12'],
    [{ type: 'object', properties: { a: { pattern: '(' } } }, 'Invalid regular expression'],
    [{ type: 'object', required: 'a' }, 'draft 2020-12'],
    [{ type: 'object', properties: { a: { $ref: '#/$defs/missing' } } }, "can't resolve reference"],
    [{ type: 'object', allOf: [{ $ref: '#' }] }, 'without end'],
  ])('%j is no schema for the validator', async (inputSchema, said) => {
    const tools = [tool(), tool({ name: 'other', inputSchema })] as Parameters<typeof checkSchemas>[1];

    await expect(checkSchemas(new AjvToolSchemas(), tools)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      field: 'tools[1].inputSchema',
      message: expect.stringContaining(said),
    });
  });

  it('of the largest size is compiled in its bound, and so are all of an agent', async () => {
    const properties = Object.fromEntries(
      Array.from({ length: 600 }, (_, at) => [`p${at}`, { type: ['string', 'null'], maxLength: at }]),
    );
    const inputSchema = { type: 'object', properties };
    expect(schemaDefect(inputSchema)).toBeUndefined();
    const tools = ['a', 'b', 'c'].map((name) => ({ name, description: 'x', inputSchema }));

    await expect(checkSchemas(new AjvToolSchemas(), parseTools(tools))).resolves.toBeUndefined();
  });
});
