import { expect, it } from 'vitest';
import { CappedText, capText } from '../../src/hands/capped-text.ts';

it('keeps what fits as it is', () => {
  const text = new CappedText(1_000);
  for (const part of ['one ', 'two ', 'three']) text.add(Buffer.from(part));

  expect(text.text()).toBe('one two three');
});

it('is the same text however it was cut into chunks', () => {
  const bytes = Buffer.from(Array.from({ length: 5_000 }, (_, n) => `line ${n} ä€😀\n`).join(''));
  const inChunks = (size: number): string => {
    const text = new CappedText(1_000);
    for (let at = 0; at < bytes.length; at += size) text.add(bytes.subarray(at, at + size));
    return text.text();
  };

  expect(new Set([1, 7, 64, 1_000, 4_096, bytes.length].map(inChunks)).size).toBe(1);
});

it.each([200, 201, 202, 203, 204, 1_000, 30_000])(
  'stays within %i bytes and never tears a character',
  (bytesMax) => {
    for (const character of ['a', 'ä', '€', '😀', 'a😀']) {
      const text = new CappedText(bytesMax);
      text.add(Buffer.from(character.repeat(bytesMax)));

      const kept = text.text();
      expect(Buffer.byteLength(kept)).toBeLessThanOrEqual(bytesMax);
      expect(kept.includes('\ufffd')).toBe(false);
    }
  },
);

it('says exactly how many bytes are missing', () => {
  const whole = 'x'.repeat(10_000);
  const text = capText(whole, 1_000);

  const cut = Number(/\n\[\.\.\. (\d+) bytes cut \.\.\.\]\n/.exec(text)?.[1]);
  expect(text.replace(/\n\[.*\]\n/, '').length + cut).toBe(whole.length);
});

it('stays within its bound when bytes that are no text grow by decoding', () => {
  const text = new CappedText(1_000);
  text.add(Buffer.alloc(900, 0xff));

  expect(Buffer.byteLength(text.text())).toBeLessThanOrEqual(1_000);
});

it('does not show bytes with zeros in them', () => {
  const text = new CappedText(1_000);
  text.add(Buffer.from('a\0b'));

  expect(text.text()).toMatch(/^\[binary output, 3 bytes/);
});

it('keeps no memory per chunk: 29 kB that came byte by byte took 28 MB', () => {
  const text = new CappedText(30_000);
  const byte = Buffer.from('x');
  const used = (): number => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
  const before = used();
  for (let n = 0; n < 29_000; n += 1) text.add(byte);

  expect(used() - before).toBeLessThan(4 * 1024 * 1024);
  expect(text.text()).toBe('x'.repeat(29_000));
});
