/** Which checked documents are kept: those that come again and are cheap to keep. */
import { expect, it } from 'vitest';
import { schema } from '../../schema/schema.ts';
import { Documents } from '../../src/api/graphql/documents.ts';
import { KNOWN_TOKENS_MAX } from '../../src/api/graphql/limits.ts';

const QUERY = '{ agents { nodes { id } } }';
const documents = new Documents(schema, { introspection: true });

it('a valid document is checked once', () => {
  expect(documents.check(QUERY)).toMatchObject({ kind: 'valid' });
  expect(documents.check(QUERY)).toBe(documents.check(QUERY));
});

it('two megabytes of comment around a query are served, and not kept', () => {
  const long = `${QUERY} # ${'x'.repeat(2 * 1024 * 1024)}`;

  expect(documents.check(long)).toMatchObject({ kind: 'valid' });
  expect(documents.check(long)).not.toBe(documents.check(long));
});

it.each(['{ nonsense }', '{ agents'])('an invalid text is not kept: %s', (text) => {
  expect(documents.check(text)).toMatchObject({ kind: 'invalid' });
  expect(documents.check(text)).not.toBe(documents.check(text));
});

it('of many large documents the last are kept, as far as their tokens go', () => {
  const fresh = new Documents(schema, { introspection: true });
  const types = '"a" '.repeat(1_500);
  const count = Math.ceil((KNOWN_TOKENS_MAX / 1_500) * 1.2);
  const texts = Array.from(
    { length: count },
    (_, at) =>
      `query q${at} { session(id: "x") { ... on Session { events(types: [${types}]) { nodes { seq } } } } }`,
  );
  const first = texts.map((text) => fresh.check(text));
  const last = Math.floor(count * 0.7);

  expect(first.every(({ kind }) => kind === 'valid')).toBe(true);
  // as booleans: an assertion that compares such trees takes a minute
  expect(fresh.check(texts[last] ?? '') === first[last]).toBe(true);
  expect(fresh.check(texts[0] ?? '') === first[0]).toBe(false);
});

it('an operation is counted for the variables of each time, and one without any is counted once', () => {
  const sized = documents.check(
    'query ($n: Int!) { sessions(first: $n) { nodes { events(first: 100) { nodes { id seq type body } } } } }',
  );
  const plain = documents.check(QUERY);
  if (sized.kind === 'invalid' || plain.kind === 'invalid') throw new Error('both are valid');

  documents.checkCost(sized.document, undefined, { n: 1 });
  documents.checkCost(plain.document, undefined, undefined);
  documents.checkCost(plain.document, undefined, { n: 1 });

  expect(() => documents.checkCost(sized.document, undefined, { n: 500 })).toThrow(/can answer/);
  expect(() => documents.checkCost(sized.document, undefined, { n: 'x' })).toThrow(AggregateError);
});
