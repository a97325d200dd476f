/** Every promise has one id, and the tests name no promise that nobody makes. docs/promises.md prints them. */
import { expect, it } from 'vitest';
import { claims, promises } from '../scripts/promises.ts';

const made = promises();

it('finds the promises', () => {
  expect(made.length).toBeGreaterThan(100);
});

it('has each id once', () => {
  const ids = made.map(({ id }) => id);

  expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
});

it('knows every promise that a test claims to prove', () => {
  const ids = new Set(made.map(({ id }) => id));
  const names = new Set(made.map(({ id }) => id.replace(/-[0-9]+$/, '')));
  const unknown = claims().flatMap(([file, claimed]) =>
    [...claimed]
      .filter((id) => names.has(id.replace(/-[0-9]+$/, '')) && !ids.has(id))
      .map((id) => `${file}: ${id}`),
  );

  expect(unknown).toEqual([]);
});

it('has a test that proves each', () => {
  expect(
    made.filter(({ provedBy }) => provedBy.length === 0).map(({ id, file }) => `${id} (${file})`),
  ).toEqual([]);
});
