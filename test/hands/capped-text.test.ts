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

it.each([
  ['a zero byte', 'a\0b\n', 'a\u2400b\n[1 byte was zero, shown as \u2400]'],
  ['a control character', 'a\u0001b', 'a\u2401b'],
  ['terminal colours', '\u001b[31mred\u001b[0m\r\n', '\u001b[31mred\u001b[0m\r\n'],
])('shows %s', (_what, given, shown) => {
  const text = new CappedText(1_000);
  text.add(Buffer.from(given));

  expect(text.text()).toBe(shown);
});

it('shows a text of another encoding as far as it can, and says how much of it it cannot', () => {
  const text = new CappedText(1_000);
  text.add(Buffer.from('Größe: 10 ¤', 'latin1'));

  expect(text.text()).toBe('Gr\ufffd\ufffde: 10 \ufffd\n[3 bytes were not UTF-8, shown as \ufffd]');
});

it('shows the text around binary data', () => {
  const text = new CappedText(1_000);
  text.add(Buffer.concat([Buffer.from('before\n'), Buffer.alloc(250, 0xfe), Buffer.from('\nbetween\n')]));
  text.add(Buffer.concat([Buffer.alloc(5_000_000), Buffer.from('behind\n')]));

  expect(text.text()).toMatch(
    /^before\n\[250 bytes of binary data\]\nbetween\n\[\d+ zero bytes\]\n\[... \d+ bytes cut ...\]\n\[\d+ zero bytes\]behind\n$/,
  );
});

it.each(['\ud83d', '\ude00', 'a\ud83db', '\ude00\ud83d'])(
  'heals half a pair in a text that fits (%j)',
  (half) => {
    expect(capText(half, 1_000)).toBe(half.toWellFormed());
    expect(capText(half.repeat(1_000), 300).isWellFormed()).toBe(true);
  },
);

it('keeps no memory per chunk: 29 kB that came byte by byte took 28 MB', () => {
  const text = new CappedText(30_000);
  const byte = Buffer.from('x');
  const used = (): number => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
  const before = used();
  for (let n = 0; n < 29_000; n += 1) text.add(byte);

  expect(used() - before).toBeLessThan(4 * 1024 * 1024);
  expect(text.text()).toBe('x'.repeat(29_000));
});
