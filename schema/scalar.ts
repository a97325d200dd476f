/** The scalars beyond GraphQL's own. */
import { Kind, type ValueNode } from 'graphql';
import { InvalidInput } from '../src/kernel/fault.ts';
import { Sealed } from '../src/kernel/sealed.ts';
import { builder } from './builder.ts';

builder.scalarType('Cursor', {
  description:
    "A place in one session's log, opaque. Everything after it has not been seen yet; keep it to resume.",
  serialize: (value) => value,
  parseValue: (value) => parseString('Cursor', value),
});

builder.scalarType('DateTime', {
  description: 'A moment in UTC, ISO 8601 with milliseconds: 2026-11-22T18:56:00.000Z.',
  serialize: (at) => isoOf(at),
  parseValue: (value) => {
    const at = Date.parse(parseString('DateTime', value));
    if (Number.isNaN(at))
      throw new InvalidInput('DateTime', 'expected ISO 8601, for example 2026-11-22T18:56:00Z.');
    return at;
  },
});

builder.scalarType('JSON', {
  description: 'Any JSON value, as it is.',
  serialize: (value) => value,
  parseValue: (value) => value,
  parseLiteral: jsonOf,
});

builder.scalarType('Secret', {
  description:
    'A string that is kept from being seen: a model key. It goes in and never comes out, and what is wrong with it is said without it.',
  serialize: () => {
    throw new Error('Cannot happen: a secret is no output');
  },
  parseValue: parseSecret,
  parseLiteral: (node) => parseSecret(node.kind === Kind.STRING ? node.value : undefined),
});

builder.scalarType('SafeInt', {
  description: 'A whole number up to 2^53 - 1: counts and sizes that may outgrow Int.',
  serialize: (value) => value,
  parseValue: parseSafeInt,
  parseLiteral: (node) => parseSafeInt(node.kind === Kind.INT ? Number(node.value) : undefined),
});

/** Milliseconds since the epoch as ISO 8601 in UTC: what Date.toISOString answers. */
export const isoOf = isoBySecond();

/** Events of one page are seldom more than a second apart, so the text of the last second is kept: ten times quicker. */
function isoBySecond(): (at: number) => string {
  let second = Number.NaN;
  let text = '';
  return (at) => {
    const now = Math.floor(at / 1_000);
    if (now !== second) {
      text = new Date(now * 1_000).toISOString().slice(0, -4); // without "000Z"
      second = now;
    }
    return `${text}${String(at - now * 1_000).padStart(3, '0')}Z`;
  };
}

function parseString(field: string, value: unknown): string {
  if (typeof value !== 'string') throw new InvalidInput(field, 'expected a string.');
  return value;
}

/** Of an optional input: an empty one counts as left out. */
export function givenKey(key: Sealed | null | undefined): Sealed | undefined {
  return key === null || key === undefined || key.open() === '' ? undefined : key;
}

/** Sealed from here on: whatever prints the arguments of a field prints no key. */
function parseSecret(value: unknown): Sealed {
  if (typeof value !== 'string') throw new InvalidInput('key', 'expected a string.');
  return new Sealed(value);
}

function parseSafeInt(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
    throw new InvalidInput('SafeInt', 'expected a whole number up to 2^53 - 1.');
  }
  return value;
}

function jsonOf(node: ValueNode, variables?: Readonly<Record<string, unknown>> | null): unknown {
  switch (node.kind) {
    case Kind.INT:
    case Kind.FLOAT:
      return Number(node.value);
    case Kind.STRING:
    case Kind.ENUM:
    case Kind.BOOLEAN:
      return node.value;
    case Kind.NULL:
      return null;
    case Kind.LIST:
      return node.values.map((value) => jsonOf(value, variables));
    case Kind.OBJECT:
      return Object.fromEntries(node.fields.map(({ name, value }) => [name.value, jsonOf(value, variables)]));
    case Kind.VARIABLE:
      return variables?.[node.name.value];
  }
}
