/** What JSON.parse would make of a text is known before it makes it. */
import { randomInt } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { excessOf, type JsonBounds } from '../../src/kernel/json-bounds.ts';
import { randomOf } from '../support/random.ts';

const BOUNDS: JsonBounds = { depthMax: 5, valuesMax: 20 };

describe('a text beyond a bound', () => {
  it.each([
    ['[[[[[]]]]]', undefined],
    ['[[[[[[]]]]]]', 'depth'],
    ['[[[[[[', 'depth'],
    ['{"a":{"a":{"a":{"a":{"a":{}}}}}}', 'depth'],
    [`[${Array(19).fill('1').join()}]`, undefined],
    [`[${Array(21).fill('1').join()}]`, 'values'],
    [`[${Array(21).fill('{}').join()}]`, 'values'],
    [`{${Array.from({ length: 21 }, (_, at) => `"k${at}":1`).join()}}`, 'values'],
    [`{"a":"${'[{,'.repeat(100)}"}`, undefined],
    [`{"a":"${'\\"[,'.repeat(100)}"}`, undefined],
    [`["\\\\",${Array(21).fill('1').join()}]`, 'values'],
    [`"${'\\\\'.repeat(50)}[[[[[[`, undefined], // no JSON, and JSON.parse makes nothing of it
    ['', undefined],
  ])('%s: %s', (text, excess) => {
    expect(excessOf(text, BOUNDS)).toBe(excess);
  });
});

it('what it lets through is what JSON.parse makes within the bounds, and what it refuses is not', () => {
  const seed = Number(process.env['SEED'] ?? randomInt(2 ** 31));
  const { below } = randomOf(seed);
  const space = (): string => ' \n\t'.slice(0, below(3));
  const text = (): string =>
    JSON.stringify(Array.from({ length: below(6) }, () => '"\\[]{},:é😀\u0007x'.charAt(below(13))).join(''));
  let names = 0;
  const written = (depth: number): string => {
    const kind = below(depth > 7 ? 2 : 5);
    if (kind === 0) return ['1', '-2.5e3', 'true', 'null'][below(4)] ?? '0';
    if (kind === 1) return text();
    const inner = Array.from({ length: below(5) }, () => `${space()}${written(depth + 1)}${space()}`);
    if (kind === 2) return `[${inner.join()}]`;
    return `{${inner.map((value) => `${text().slice(0, -1)}${(names += 1)}"${space()}:${value}`).join()}}`;
  };
  const measure = (value: unknown): { depth: number; values: number } => {
    if (typeof value !== 'object' || value === null) return { depth: 0, values: 0 };
    const inner = Object.values(value).map(measure);
    return {
      depth: 1 + Math.max(0, ...inner.map(({ depth }) => depth)),
      values: Math.max(1, inner.length) + inner.reduce((sum, { values }) => sum + values, 0),
    };
  };

  for (let round = 0; round < 3_000; round += 1) {
    const json = written(0);
    const { depth, values } = measure(JSON.parse(json));
    const what = `seed ${seed}, round ${round}: ${json}`;
    for (const [bounds, excess] of [
      [{ depthMax: depth, valuesMax: values + 1 }, undefined],
      [{ depthMax: depth - 1, valuesMax: Infinity }, depth === 0 ? undefined : 'depth'],
      [{ depthMax: Infinity, valuesMax: values }, values === 0 ? undefined : 'values'],
    ] as const) {
      expect({ what, excess: excessOf(json, bounds) }).toEqual({ what, excess });
    }
  }
});

it('every character is looked at once or twice, whatever stands there', () => {
  const megabyte = 1024 * 1024;
  for (const text of ['"', '\\', '\\"', '"\\', ' ', '"\\""', '[]'].map((part) => part.repeat(megabyte / 2))) {
    expect(() => excessOf(text, { depthMax: Infinity, valuesMax: Infinity })).not.toThrow();
  }
});
