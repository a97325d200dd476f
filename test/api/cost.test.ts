/** What operations are counted for, and what is refused because it cannot be counted. */
import {
  buildSchema,
  type DocumentNode,
  execute,
  getIntrospectionQuery,
  getOperationAST,
  isCompositeType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  parse,
  printSchema,
  validate,
  GraphQLError,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { costing } from '../../schema/cost.ts';
import { schema } from '../../schema/schema.ts';
import { checkCost, complexityOf } from '../../src/api/graphql/cost.ts';
import { Documents } from '../../src/api/graphql/documents.ts';
import { COMPLEXITY_MAX, INTROSPECTION_FIELDS_MAX } from '../../src/api/graphql/limits.ts';
import { must } from '../../src/kernel/assert.ts';
import { randomOf } from '../support/random.ts';
import { answeredFields, randomOperation, standIn } from '../support/operation-grammar.ts';

const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const documents = new Documents(schema, { introspection: true });

/** The cost, or the code and message that it is refused with. */
function cost(query: string, variables?: Readonly<Record<string, unknown>>, name?: string): number | string {
  const checked = documents.check(query);
  const refused = (error: unknown): string => {
    const [first] = error instanceof AggregateError ? error.errors : [error];
    return `${first.extensions?.code ?? 'BAD_USER_INPUT'}: ${first.message}`;
  };
  if (checked.kind === 'invalid') return refused(checked.errors[0]);
  try {
    checkCost(schema, checked.document, name, variables);
    return counted(checked.document, variables, name);
  } catch (error) {
    return refused(error);
  }
}

function counted(
  document: DocumentNode,
  variables?: Readonly<Record<string, unknown>>,
  name?: string,
): number {
  return complexityOf(schema, document, must(getOperationAST(document, name), 'it is there'), variables);
}

const LIST = 'sessions(first: 500) { nodes { turns(first: 500) { nodes { id } } } }';

describe('what cannot be counted is refused (proves COST-2)', () => {
  it.each([
    [
      'a variable with a default that is given as null, under something that never runs',
      `query ($t: String = "x") { ${LIST} x: session(id: "ses_0") { ... on Session { events(types: [$t]) { nodes { seq } } } } }`,
      { t: null },
    ],
    [
      'a variable of another type',
      `query ($n: Int) { ${LIST} agents(first: $n) { nodes { id } } }`,
      { n: 'many' },
    ],
    [
      'a variable of a list with something else in it',
      `query ($t: [String!]) { ${LIST} session(id: "x") { ... on Session { events(types: $t) { nodes { seq } } } } }`,
      { t: [null] },
    ],
    [
      'a scalar that is not one',
      `query ($c: Cursor) { ${LIST} session(id: "x") { ... on Session { events(after: $c) { nodes { seq } } } } }`,
      { c: 5 },
    ],
    ['a condition that is not there', `query ($on: Boolean!) { ${LIST} __typename @skip(if: $on) }`, {}],
    [
      'a condition with a default that is given as null',
      `query ($on: Boolean = true) { ${LIST} __typename @skip(if: $on) }`,
      { on: null },
    ],
  ])('%s', (_what, query, variables) => {
    expect(cost(query, variables)).toMatch(/^(BAD_USER_INPUT|TOO_COMPLEX): /);
    expect(cost(query.replace(LIST, ''), variables)).toMatch(/^BAD_USER_INPUT: /); // for itself, however little is asked for
  });

  it.each([
    ['an operation that is not there', 'query A { __typename }', 'B'],
    ['one of several without its name', 'query A { __typename } query B { __typename }', undefined],
    ['a name that every object has', 'query A { __typename }', 'constructor'],
  ])('%s', (_what, query, name) => {
    expect(cost(query, {}, name)).toMatch(/^OPERATION_RESOLUTION_FAILURE: /);
  });

  it('a list of objects that does not say how long it can be; and every list of the schema says it', () => {
    const silent = Object.values(schema.getTypeMap())
      .filter((type) => isObjectType(type) || isInterfaceType(type))
      .filter(({ name }) => !name.startsWith('__'))
      .flatMap((type) => Object.values(type.getFields()).map((field) => ({ type, field })))
      .filter(({ field: { type } }) => {
        const inner = isNonNullType(type) ? type.ofType : type;
        return (
          isListType(inner) &&
          isCompositeType(isNonNullType(inner.ofType) ? inner.ofType.ofType : inner.ofType)
        );
      })
      .filter(
        ({ field }) => (field.extensions['cost'] as { items?: unknown } | undefined)?.items === undefined,
      );
    expect(silent.map(({ type, field }) => `${type.name}.${field.name}`)).toEqual([]);

    const odd = buildSchema('type Query { things: [Thing] } type Thing { name: String }');
    const document = parse('{ things { name } }');
    expect(() => checkCost(odd, document, undefined, {})).toThrow('Query.things');
    Object.assign(must(odd.getQueryType()?.getFields()['things'], 'it is there'), costing({ items: 7 }));
    expect(complexityOf(odd, document, must(getOperationAST(document), 'it is there'), {})).toBe(8);
  });
});

describe('the count', () => {
  it('takes `first` as execution will: given, missing, null, by default, negative and huge', () => {
    const query = 'query ($n: Int) { credentials(first: $n) { nodes { id name } } }';
    const byDefault = 'query ($n: Int = 7) { credentials(first: $n) { nodes { id name } } }';

    expect(cost(query, { n: 10 })).toBe(2 + 10 * 2);
    expect([
      cost(query, {}),
      cost(query, { n: null }),
      cost('{ credentials { nodes { id name } } }'),
    ]).toEqual([102, 102, 102]);
    expect([cost(byDefault), cost(byDefault, { n: 3 })]).toEqual([2 + 7 * 2, 2 + 3 * 2]);
    expect([cost(query, { n: -5 }), cost(query, { n: 0 })]).toEqual([4, 4]); // refused by the list itself
    expect(cost(query, { n: 2 ** 31 - 1 })).toMatch(/^TOO_COMPLEX/);
    expect(cost(query, { n: 2 ** 40 })).toMatch(/^BAD_USER_INPUT/);
  });

  it('leaves out what is skipped, and nothing else', () => {
    const query =
      'query ($on: Boolean!) { credentials(first: 9) @include(if: $on) { nodes { id } } __typename }';

    expect([cost(query, { on: false }), cost(query, { on: true })]).toEqual([1, 12]);
    expect(cost('{ __typename ... @skip(if: true) { credentials { nodes { id } } } }')).toBe(1);
  });

  it('counts what is read of each thing in a list, whatever is asked of it', () => {
    expect(cost('{ agents(first: 4) { nodes { id } } }')).toBe(2 + 4 * (25 + 1));
    expect(cost('{ sessions(first: 4) { nodes { agent { id } } } }')).toBe(2 + 4 * (5 + 25 + 1));
    expect(
      cost(
        `{ ${Array.from({ length: 3 }, (_, at) => `a${at}: agents(first: 500) { nodes { id } }`).join(' ')} }`,
      ),
    ).toMatch(/^TOO_COMPLEX/);
  });

  it('takes the dearest of the types that a value can have, not all of them', () => {
    const of = (fields: string): number | string => cost(`{ event(sessionId: "x", id: "y") { ${fields} } }`);

    expect(of('... on AgentMessage { text callId } ... on ToolCall { tool } ... on Event { seq }')).toBe(
      1 + 3,
    );
    expect(of('... on Event { fullBody } ... on Fault { code message }')).toBe(1 + 20);
  });

  it('counts aliases as often as fragments repeat them', () => {
    const nested =
      '{ a: session(id: "x") { ...F } b: session(id: "x") { ...F } } fragment F on Session { '.concat(
        Array.from({ length: 25 }, (_, at) => `x${at}: events(first: 1) { nodes { seq } }`).join(' '),
        ' }',
      );

    expect(cost(nested)).toMatch(/^TOO_MANY_ALIASES: This query has 52 aliases/);
    expect(
      cost(
        nested
          .replace('x24: events(first: 1) { nodes { seq } }', '')
          .replace('x23: events(first: 1) { nodes { seq } }', ''),
      ),
    ).toBeTypeOf('number');
  });

  it('refuses whole bodies under so many names that one event alone would be too large', () => {
    const named = (count: number): string =>
      `{ event(sessionId: "x", id: "y") { ... on Event { ${Array.from({ length: count }, (_, at) => `b${at}: fullBody`).join(' ')} } } }`;

    expect(cost(named(4))).toBe(1 + 4 * 20);
    expect(cost(named(5))).toMatch(/^TOO_COMPLEX: This query names whole bodies so often/);
  });

  it('looks into introspection: the usual one passes, nested ones do not', () => {
    expect(cost(getIntrospectionQuery())).toBeLessThan(COMPLEXITY_MAX);
    const types = (inner: string): string => `{ __schema { types { ${inner} } } }`;
    expect(cost(types('fields { type { fields { name } } }'))).toBeTypeOf('number');
    expect(
      cost(
        types(
          'fields { name type { possibleTypes { name fields { name description args { name description type { name } } } } fields { args { name description type { name kind } } } } }',
        ),
      ),
    ).toMatch(/^GRAPHQL_VALIDATION_FAILED: Maximum introspection depth/);
    expect(
      cost(
        `{ ${Array.from({ length: 50 }, (_, at) => `a${at}: __schema { types { name description fields { name } } }`).join(' ')} }`,
      ),
    ).toMatch(/^TOO_COMPLEX/);
  });

  it('has one allowance for all introspection of an operation, and stops where it ends', () => {
    expect(cost(getIntrospectionQuery())).toBeLessThan(INTROSPECTION_FIELDS_MAX);
    const named = (count: number): string =>
      `{ ${Array.from({ length: count }, (_, at) => `a${at}: __schema { types { ...T } }`).join(' ')} }
      fragment T on __Type { name fields { name args { name } type { name ofType { name } } } }`;
    const one = cost(named(1));
    expect(one).toBeLessThan(INTROSPECTION_FIELDS_MAX / 2);
    const most = Math.floor(INTROSPECTION_FIELDS_MAX / Number(one));
    expect(cost(named(most))).toBe(most * Number(one));
    for (const count of [most + 1, 45]) {
      expect(cost(named(count))).toMatch(
        /^TOO_COMPLEX: This query asks for more than \d+ fields of the schema/,
      );
    }
  });

  it('ends by itself, whatever is to be counted', () => {
    const twice = (at: number): string =>
      `fragment F${at} on __Type { a: ofType { ...F${at + 1} } ofType { ...F${at + 1} } }`;
    const deep = `{ __type(name: "Query") { ...F0 } } ${Array.from({ length: 13 }, (_, at) => twice(at)).join(' ')} fragment F13 on __Type { name }`;
    expect(cost(deep)).toMatch(/^TOO_/);

    const many = Array.from(
      { length: 120 },
      (_, at) => `fragment G${at} on Query { agents { nodes { id } } }`,
    );
    const meeting = `{ ${many.map((_, at) => `...G${at}`).join(' ')} } ${many.join(' ')}`;
    expect(cost(meeting)).toMatch(/^TOO_COMPLEX: This query asks for the same fields again/);
  });
});

/** Infinite for what the count itself refuses: the parts of the schema that one operation may ask for. */
function pointsOf(count: () => number): number {
  try {
    return count();
  } catch (error) {
    if (error instanceof GraphQLError && error.extensions['code'] === 'TOO_COMPLEX') return Infinity;
    throw error;
  }
}

it(`proves COST-1: no operation answers more fields than were counted for it (SEED=${SEED})`, async () => {
  const random = randomOf(SEED);
  const mock = buildSchema(printSchema(schema));
  for (const type of Object.values(schema.getTypeMap())) {
    const twin = mock.getType(type.name);
    if (type.name.startsWith('__') || !('getFields' in type) || twin === undefined || !('getFields' in twin))
      continue;
    for (const [name, { extensions }] of Object.entries(type.getFields()))
      Object.assign(must(twin.getFields()[name], 'a twin has the same fields'), { extensions });
  }
  let tried = 0;
  let largest = 0;
  for (let count = 0; count < 250; count += 1) {
    const { text, variables } = randomOperation(mock, random);
    const document = parse(text);
    if (validate(mock, document).length > 0) continue;
    const operation = must(getOperationAST(document), 'it has one');
    const points = pointsOf(() => complexityOf(mock, document, operation, variables));
    if (points > 2_000) continue; // more than needs to be made up, or refused
    const result = await execute({ schema: mock, document, variableValues: variables, ...standIn(random) });

    const fields = answeredFields(result.data);
    const isCovered = result.errors === undefined && points >= fields;
    expect({ text, variables, errors: result.errors, points, fields, isCovered }).toMatchObject({
      isCovered: true,
    });
    largest = Math.max(largest, fields);
    tried += 1;
  }
  expect(tried).toBeGreaterThan(50);
  expect(largest).toBeGreaterThan(100);
});
