import { expect, it } from 'vitest';
import { Lines } from '../../src/hands/lines.ts';

const BYTES = Buffer.from('one\n\ntwo ä€😀\nthree\nrest');

it.each([1, 2, 3, 5, 100])('finds the same lines in chunks of %i bytes', (size) => {
  const found: string[] = [];
  const lines = new Lines(100, (line) => found.push(line));
  for (let at = 0; at < BYTES.length; at += size) expect(lines.add(BYTES.subarray(at, at + size))).toBe(true);

  expect(found).toEqual(['one', '', 'two ä€😀', 'three']);
});

it('ends at a line that is too long, in one chunk or in many', () => {
  expect(new Lines(3, () => undefined).add(Buffer.from('four\n'))).toBe(false);
  const lines = new Lines(3, () => undefined);
  expect([1, 2, 3, 4].map(() => lines.add(Buffer.from('x')))).toEqual([true, true, true, false]);
});

it('counts each line for itself', () => {
  const found: string[] = [];
  expect(new Lines(3, (line) => found.push(line)).add(Buffer.from('one\ntwo\nabc\n'))).toBe(true);
  expect(found).toHaveLength(3);
});

it('keeps no memory per chunk of a line that comes byte by byte', () => {
  const found: string[] = [];
  const lines = new Lines(1_000_000, (line) => found.push(line));
  const byte = Buffer.from('x');
  const used = (): number => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
  const before = used();
  for (let n = 0; n < 100_000; n += 1) lines.add(byte);

  expect(used() - before).toBeLessThan(8 * 1024 * 1024);
  lines.add(Buffer.from('\n'));
  expect(found).toEqual(['x'.repeat(100_000)]);
});
