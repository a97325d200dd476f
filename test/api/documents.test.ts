/** Which checked documents are kept: those that come again and are cheap to keep. */
import { expect, it } from 'vitest';
import { schema } from '../../schema/schema.ts';
import { Documents } from '../../src/api/graphql/documents.ts';

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
