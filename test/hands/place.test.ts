import { expect, it } from 'vitest';
import { FileRefused } from '../../src/hands/faults.ts';
import { placeOf } from '../../src/hands/place.ts';

it.each([
  ['a/b', '/data/x/a/b', 'a/b', true],
  ['.', '/data/x', '.', true],
  ['/workspace', '/data/x', '.', true],
  ['/workspace/a', '/data/x/a', 'a', true],
  ['/workspace/../etc', '/etc', '/etc', false],
  ['..foo', '/data/x/..foo', '..foo', true],
  ['../y', '/data/y', '/data/y', false],
  ['/etc/passwd', '/etc/passwd', '/etc/passwd', false],
  ['/workspaces', '/workspaces', '/workspaces', false],
])('%s is %s, shown as %s', (given, path, shown, inside) => {
  expect(placeOf('/data/x', given)).toEqual({ path, shown, inside });
});

it('is itself where the workspace is /workspace', () => {
  expect(placeOf('/workspace', '/workspace/a').path).toBe('/workspace/a');
});

it.each(['', 'a\0b'])('refuses a path that names nothing (%j)', (given) => {
  expect(() => placeOf('/workspace', given)).toThrow(FileRefused);
});
