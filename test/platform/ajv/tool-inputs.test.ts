/** Inputs of tools are checked against their schemas within bounds of time, whatever the schema. */
import { expect, it } from 'vitest';
import { systemClock } from '../../../src/kernel/clock.ts';
import {
  ANSWER_CHECK_MS_MAX,
  INPUT_CHECK_MS_MAX,
  toolInputs,
} from '../../../src/platform/ajv/tool-inputs.ts';

/** Noisy machines. */
const TIMES = 10;
const city = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
/** Backtracks for longer than anybody waits. */
const hungry = { type: 'object', properties: { a: { type: 'string', pattern: '^(a+)+$' } } };
const MANY = { a: `${'a'.repeat(60)}!` };

const checksOf = (inputSchema: object) =>
  toolInputs([{ name: 'lookup', inputSchema: { ...inputSchema } }], systemClock);

it.each([
  [city, { city: 'Oslo' }, undefined],
  [city, {}, "it must have required property 'city'"],
  [city, { city: 1 }, '/city must be string'],
  [
    { ...city, additionalProperties: false },
    { city: 'x', at: 1 },
    'it must NOT have additional properties ("at")',
  ],
  [
    { type: 'object', properties: { u: { enum: ['C', 'F'] } } },
    { u: 'K' },
    'must be equal to one of the allowed values (["C","F"])',
  ],
  [
    { type: 'object', properties: { a: { $ref: '#/$defs/n' } }, $defs: { n: { type: 'integer' } } },
    { a: 1.5 },
    '/a must be integer',
  ],
  [
    { type: 'object', properties: { l: { prefixItems: [{ type: 'string' }] } } },
    { l: [1] },
    '/l/0 must be string',
  ],
  [
    { $schema: 'http://json-schema.org/draft-07/schema#', type: 'object', dependencies: { a: ['b'] } },
    { a: 1 },
    'must have property b',
  ],
  [{ type: 'object', properties: { t: { format: 'email' } } }, { t: 'no address' }, undefined],
])('%j says of %j: %s', (schema, input, said) => {
  const defect = checksOf(schema).checks()('lookup', input);

  if (said === undefined) expect(defect).toBeUndefined();
  else expect(defect).toContain(said);
});

it('says nothing of tools that are not its own', () => {
  expect(checksOf(city).checks()('bash', {})).toBeUndefined();
});

it('ends a check that takes too long, and all checks of one answer together, and works on after that', () => {
  const inputs = checksOf(hungry);
  const check = inputs.checks();
  const startedAt = performance.now();

  const said = Array.from({ length: 64 }, () => check('lookup', MANY));

  expect(performance.now() - startedAt).toBeLessThan(ANSWER_CHECK_MS_MAX * TIMES);
  expect(INPUT_CHECK_MS_MAX).toBeLessThan(ANSWER_CHECK_MS_MAX);
  expect(new Set(said).size).toBe(1);
  expect(said[0]).toContain('could not be checked against the schema of lookup in time');
  expect(inputs.checks()('lookup', { a: 'aaa' })).toBeUndefined();
  expect(inputs.checks()('lookup', { a: 'b' })).toContain('must match pattern');
});

it('says so of an input that is nested without end for its schema, and of a schema that cannot be used', () => {
  const tree = { type: 'object', properties: { a: { $ref: '#' } }, allOf: [{ $ref: '#' }] };

  expect(checksOf(tree).checks()('lookup', {})).toContain('it is nested too deeply');
  expect(checksOf({ type: 'nonsense' }).checks()('lookup', {})).toContain('its schema cannot be used');
});
