/** Counting the bytes of an answer without making its text. */
import { GraphQLError } from 'graphql';
import { expect, it } from 'vitest';
import { jsonBytes } from '../../src/api/graphql/json-size.ts';

const VALUES: readonly unknown[] = [
  null,
  true,
  -1.5e-300,
  '',
  'plain',
  '\u0000\u001f"\\',
  '\u{1f600} é ￿',
  '\ud800',
  [],
  {},
  [[], {}, [null, [1, 2, 3]]],
  { a: 'x'.repeat(1_000), 'é"': [{ b: undefined, c: () => 1 }], toString: 'own' },
  { errors: [new GraphQLError('no "such" thing', { extensions: { code: 'X' } })] },
  Object.assign(Object.create(null), {
    data: { list: Array.from({ length: 100 }, (_, at) => ({ at, text: `${at}` })) },
  }),
];

it.each(VALUES.map((value) => [JSON.stringify(value).slice(0, 40), value]))(
  'of %s are enough',
  (_shown, value) => {
    const bytes = Buffer.byteLength(JSON.stringify(value));

    expect(jsonBytes(value, 1_000_000)).toBeGreaterThanOrEqual(bytes);
    expect(jsonBytes(value, bytes - 1)).toBeUndefined();
    expect(jsonBytes(value, 2 * bytes + 8)).toBeGreaterThanOrEqual(bytes); // what fits is not refused for escapes that it has not
  },
);

it('of every character are exact, and one object under several names is counted each time', () => {
  const all = String.fromCharCode(...Array.from({ length: 0x1_0000 }, (_, unit) => unit));
  const texts = [
    all,
    Array.from(all).toReversed().join(''),
    '\u{10000}\u{10ffff}',
    '\ud800x',
    'x\udc00',
    '\ud800\ud800\udc00',
  ];
  for (const text of texts) {
    const bytes = Buffer.byteLength(JSON.stringify(text));
    expect(jsonBytes(text, bytes)).toBe(bytes);
    expect(jsonBytes(text, bytes - 1)).toBeUndefined();
  }
  const body = { text: 'x'.repeat(100_000) };
  const bytes = Buffer.byteLength(JSON.stringify([body, body, body]));
  expect(jsonBytes([body, body, body], bytes + 20)).toBeGreaterThanOrEqual(bytes);
  expect(jsonBytes([body, body, body], bytes - 1)).toBeUndefined();
});

it('stops where it is too much, and never looks at the rest', () => {
  const looked: number[] = [];
  const item = (at: number): object => ({
    toJSON() {
      looked.push(at);
      return 'x'.repeat(1_000);
    },
  });
  expect(
    jsonBytes(
      Array.from({ length: 1_000 }, (_, at) => item(at)),
      5_000,
    ),
  ).toBeUndefined();
  expect(looked.length).toBeLessThan(20);
});
