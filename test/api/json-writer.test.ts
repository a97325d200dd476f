/** Answers as JSON: the same text as JSON.stringify makes, with stored text put in as it is, whole or in pieces. */
import { inspect } from 'node:util';
import { GraphQLError } from 'graphql';
import { expect, it } from 'vitest';
import { jsonPieces, jsonText } from '../../src/api/graphql/json-writer.ts';
import { JsonText } from '../../src/kernel/json-text.ts';

const LONG = 'é"\\\u0000\u{1f600}\ud800'.repeat(40_000);

const VALUES: readonly unknown[] = [
  null,
  undefined,
  Number.NaN,
  -1.5e-300,
  '\ud800',
  LONG,
  [],
  {},
  [[], {}, [undefined, () => 1, [1, true, null]]],
  { 'é"': [{ b: undefined, c: () => 1 }], toString: 'own', __proto__: null },
  { data: { at: new Date(0) }, errors: [new GraphQLError('no "such" thing', { extensions: { code: 'X' } })] },
  {
    data: {
      list: Array.from({ length: 5_000 }, (_, at) => ({
        at,
        text: 'x'.repeat(at),
        LONG: at === 7 ? LONG : 1,
      })),
    },
  },
  { a: new JsonText('{"b":[1,2]}'), c: [new JsonText(JSON.stringify({ LONG }))], d: new JsonText('null') },
];

it.each(VALUES.map((value) => [inspect(value).slice(0, 40), value]))(
  'of %s are those of JSON.stringify',
  (_shown, value) => {
    const whole = JSON.stringify(value) ?? 'null';
    expect(jsonText(value) === whole).toBe(true);

    const pieces = [...jsonPieces(value)];
    expect(pieces.join('') === whole).toBe(true);
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(2 * 64 * 1024);
    expect(Buffer.concat(pieces.map((piece) => Buffer.from(piece))).equals(Buffer.from(whole))).toBe(true);
  },
);

it('stored text is not parsed', () => {
  expect(jsonText([new JsonText('not JSON')])).toBe('[not JSON]');
});
