/**
 * Documents by a grammar over the schema itself, decided by dice: deep, wide, multiplied by aliases and fragments, with variables of
 * wrong types, huge pages, unknown operations, and text that is no document at all. Mutations are left out: what is sent with a
 * token that may not write would be refused before it costs anything.
 */
import {
  type GraphQLField,
  type GraphQLInputType,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  type GraphQLOutputType,
  type GraphQLSchema,
  GraphQLString,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql';
import type { Dice } from '../simulate/dice.ts';

export interface WrittenDocument {
  readonly shape: Shape;
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly operationName?: string | undefined;
}

const SHAPES = ['random', 'multiplied', 'deep', 'introspection', 'subscription', 'broken'] as const;
export type Shape = (typeof SHAPES)[number];

/** Of the text; a larger document than the server's own limit on requests shows nothing new. */
const CHARS_MAX = 64 * 1024;
const FRAGMENTS_MAX = 12;
const EVENT_TYPES = [
  'user.message',
  'session.archived',
  'agent.message',
  'constructor',
  '__proto__',
  'toString',
  '',
];
/** For a variable: of the right type seldom, and often nothing that anybody expects. */
const SLIPS: readonly unknown[] = [
  null,
  [null],
  [],
  {},
  '',
  'x',
  -1,
  0,
  2 ** 31,
  1e308,
  true,
  [[null]],
  ['x', null],
  { a: null },
];
const COUNTS = [1, 2, 50, 100, 500, 501, 2_147_483_647, -1, 0];

export class Grammar {
  readonly #schema: GraphQLSchema;
  readonly #sessions: readonly string[];

  /** `sessions`: ids of sessions that are there. */
  constructor(schema: GraphQLSchema, sessions: readonly string[]) {
    this.#schema = schema;
    this.#sessions = sessions;
  }

  document(dice: Dice): WrittenDocument {
    const shape = dice.pick(SHAPES);
    const draft = new Draft(this.#schema, this.#sessions, dice);
    switch (shape) {
      case 'random':
        return draft.operation(
          shape,
          draft.selections(this.#schema.getQueryType() ?? undefined, dice.below(8) + 1),
        );
      case 'deep':
        return draft.operation(shape, deepSelections(draft, dice));
      case 'multiplied':
        return draft.operation(shape, draft.multiplied());
      case 'introspection':
        return draft.operation(shape, introspection(dice));
      case 'subscription':
        return draft.operation(shape, draft.subscription(), 'subscription');
      case 'broken':
        return { shape, query: broken(dice), variables: {} };
    }
  }
}

/** One document in the making: its fragments and variables are gathered on the way. */
class Draft {
  readonly #schema: GraphQLSchema;
  readonly #sessions: readonly string[];
  readonly #dice: Dice;
  readonly #fragments: string[] = [];
  readonly #declared: string[] = [];
  readonly #variables: Record<string, unknown> = {};
  #chars = 0;

  constructor(schema: GraphQLSchema, sessions: readonly string[], dice: Dice) {
    this.#schema = schema;
    this.#sessions = sessions;
    this.#dice = dice;
  }

  operation(shape: Shape, selections: string, kind = 'query'): WrittenDocument {
    const dice = this.#dice;
    const declared = this.#declared.length === 0 ? '' : `(${this.#declared.join(', ')})`;
    const more = dice.hits(0.1) ? ' query Other { __typename }' : '';
    const query = `${kind} Asked${declared} { ${selections} } ${this.#fragments.join(' ')}${more}`;
    const operationName = dice.hits(0.1) ? dice.pick(['Other', 'Nobody', '', '__proto__']) : undefined;
    return { shape, query: query.slice(0, CHARS_MAX), variables: this.#variables, operationName };
  }

  selections(type: GraphQLOutputType | undefined, depth: number): string {
    const dice = this.#dice;
    if (isAbstractType(type)) {
      const kinds = this.#schema.getPossibleTypes(type);
      const some = Array.from({ length: dice.below(3) + 1 }, () => dice.pick(kinds));
      return `__typename ${some.map((one) => `... on ${one.name} { ${this.selections(one, depth)} }`).join(' ')}`;
    }
    if (!isObjectType(type)) return '__typename';
    const fields = Object.values(type.getFields());
    const width = dice.hits(0.1) ? 20 : dice.below(4) + 1;
    const written = Array.from({ length: width }, (_, at) => this.#field(dice.pick(fields), depth, at));
    const all = `__typename ${written.join(' ')}`;
    this.#chars += all.length;
    if (!dice.hits(0.2) || this.#fragments.length >= FRAGMENTS_MAX) return all;
    const name = `F${this.#fragments.length}`;
    this.#fragments.push(`fragment ${name} on ${type.name} { ${all} }`);
    return Array.from({ length: dice.below(4) + 1 }, () => `...${name}`).join(' ');
  }

  /**
   * Whole bodies of the large sessions, as often as fragments multiply them, with a slip beside them that execution never meets:
   * a count that fails must refuse, not count nothing.
   */
  multiplied(): string {
    const dice = this.#dice;
    const times = (name: string, count: number, of: string): string =>
      Array.from({ length: count }, (_, at) => `${name}${at}: ${of}`).join(' ');
    const [a, b, c] = [dice.below(16) + 1, dice.below(16) + 1, dice.below(16) + 1];
    const body = dice.pick(['fullBody', 'body', 'bodyBytes', '... on UserMessage { text raw }']);
    const bodies = body.startsWith('...') ? body : times('b', c, body);
    this.#fragments.push(`fragment G on Event { ${bodies} }`);
    const page = dice.hits(0.5) ? '' : `(first: ${this.#argument('first', GraphQLInt)})`;
    this.#fragments.push(`fragment F on Session { ${times('e', b, `events${page} { nodes { ...G } }`)} }`);
    return `${times('s', a, `session(id: "${dice.pick(this.#sessions)}") { ...F }`)} ${this.#slip()}`;
  }

  subscription(): string {
    const dice = this.#dice;
    const bodies = Array.from({ length: dice.below(8) }, (_, at) => `b${at}: fullBody`).join(' ');
    const filter = dice.hits(0.3) ? `, filter: { types: ["${dice.pick(EVENT_TYPES)}"] }` : '';
    return `sessionEvents(sessionId: "${dice.pick(this.#sessions)}"${filter}) { ... on EventBatch { cursor events { seq type ${bodies} } } }`;
  }

  /** Something under an id that is refused, or skipped: nothing of it is ever executed. */
  #slip(): string {
    const dice = this.#dice;
    const types = new GraphQLList(new GraphQLNonNull(GraphQLString));
    const inner = dice.pick([
      () => `events(types: ${this.#variable(types)}) { nodes { seq } }`,
      () => `events(types: [${this.#variable(GraphQLString)}]) { nodes { seq } }`,
      () => `events(first: ${this.#variable(GraphQLInt)}) { nodes { seq } }`,
      () => `turns(first: ${this.#variable(GraphQLInt)}) { nodes { id } }`,
    ])();
    return dice.pick([
      `z: session(id: "ses_0") { ... on Session { ${inner} } }`,
      `z: session(id: "ses_0") { ... on Session { ... @include(if: false) { ${inner} } } }`,
      `... @skip(if: true) { z: session(id: "${dice.pick(this.#sessions)}") { ... on Session { ${inner} } } }`,
    ]);
  }

  #field(field: GraphQLField<unknown, unknown>, depth: number, at: number): string {
    const dice = this.#dice;
    const type = getNamedType(field.type);
    const isComposite = isCompositeType(type);
    if (isComposite && (depth === 0 || this.#chars > CHARS_MAX / 2)) return '';
    const args = field.args
      .filter((arg) => isNonNullType(arg.type) || dice.hits(0.4))
      .map((arg) => `${arg.name}: ${this.#argument(arg.name, arg.type)}`);
    const alias = dice.hits(0.4) ? `${field.name}${at}${depth}: ` : '';
    const directive = dice.hits(0.1)
      ? ` @${dice.pick(['skip', 'include'])}(if: ${dice.pick(['true', 'false'])})`
      : '';
    const inner = isComposite ? ` { ${this.selections(type, depth - 1)} }` : '';
    return `${alias}${field.name}${args.length === 0 ? '' : `(${args.join(', ')})`}${directive}${inner}`;
  }

  #argument(name: string, type: GraphQLInputType): string {
    const dice = this.#dice;
    if (dice.hits(0.25)) return this.#variable(type);
    if (/^(id|sessionId)$/.test(name) && dice.hits(0.9)) return `"${dice.pick(this.#sessions)}"`;
    if (name === 'first') return String(dice.pick(COUNTS));
    if (name === 'types') return `["${dice.pick(EVENT_TYPES)}"]`;
    return literal(type, dice);
  }

  #variable(type: GraphQLInputType): string {
    const dice = this.#dice;
    const name = `v${this.#declared.length}`;
    this.#declared.push(
      `$${name}: ${dice.hits(0.8) ? String(type).replace(/!$/, '') : dice.pick(['Int', '[String]', 'ID', 'Nobody'])}`,
    );
    if (dice.hits(0.8)) this.#variables[name] = dice.pick(SLIPS);
    return `$${name}`;
  }
}

function deepSelections(draft: Draft, dice: Dice): string {
  const wrap = dice.pick(['... on Session', '...']);
  const depth = dice.pick([10, 16, 17, 100, 1_000]);
  const [open, close] = [`${wrap} { `.repeat(depth), '} '.repeat(depth)];
  return `session(id: ${JSON.stringify('ses_0')}) { ${open} ${dice.hits(0.5) ? 'id' : '__typename'} ${close} } ${draft.subscription().includes('fullBody') ? '__typename' : ''}`;
}

function introspection(dice: Dice): string {
  const depth = dice.below(14) + 1;
  const inner = dice.pick(['ofType { ', 'fields { type { ', 'possibleTypes { ', 'inputFields { type { ']);
  const closes = '} '.repeat(inner.split('{').length - 1);
  const aliases = dice.below(12) + 1;
  const one = `types { name ${inner.repeat(depth)} name ${closes.repeat(depth)} }`;
  return `__schema { ${Array.from({ length: aliases }, (_, at) => `t${at}: ${one}`).join(' ')} }`;
}

/** Text that a parser has to refuse, and quickly. */
function broken(dice: Dice): string {
  const repeated = dice.pick([
    '{',
    '{a',
    '[',
    '(',
    '"',
    '"""',
    '#',
    '...',
    '@skip',
    '$a:',
    '{a(b:[',
    '\u0000',
    '\ud800',
    'query ',
  ]);
  return `${dice.pick(['', 'query ', '{ '])}${repeated.repeat(dice.pick([1, 100, 5_000]))}`;
}

function literal(type: GraphQLInputType, dice: Dice): string {
  if (isNonNullType(type)) return literal(type.ofType, dice);
  if (isListType(type)) return `[${literal(type.ofType, dice)}]`;
  if (isEnumType(type)) return dice.pick([...type.getValues().map(({ name }) => name), 'NOBODY']);
  if (isInputObjectType(type)) return '{}';
  return dice.pick(['1', '"x"', '""', 'null', '-1', '1e999', 'true', '{ a: [1] }']);
}
