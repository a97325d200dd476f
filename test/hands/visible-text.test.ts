import { expect, it } from 'vitest';
import { cutText, partOf } from '../../src/hands/characters.ts';
import { isBinary, visibleText } from '../../src/hands/visible-text.ts';

it('shows every byte sequence of up to three bytes as the decoder of Node does, but for control characters', () => {
  const odd = [0x41, 0x80, 0xbf, 0xc1, 0xc3, 0xe2, 0x82, 0xed, 0xa0, 0xf0, 0x9f, 0xf4, 0x90, 0xff];
  for (const a of odd)
    for (const b of odd)
      for (const c of odd) {
        const { text, badBytes } = visibleText(Buffer.from([a, b, c, 0x0a]));
        const bad = text.split('\ufffd').length - 1;
        expect(bad).toBe(badBytes);
        expect(Buffer.byteLength(text) - 2 * bad).toBe(4); // each byte is shown once
      }
});

it('does not count a replacement character that the text has itself', () => {
  expect(visibleText(Buffer.from('a\ufffdb'))).toEqual({ text: 'a\ufffdb', badBytes: 0, zeroBytes: 0 });
});

it.each([
  ['prose', Buffer.from('text '.repeat(100)), false],
  ['a stray zero byte', Buffer.from('\0\nneedle\n'), false],
  ['a log behind a hole', Buffer.concat([Buffer.alloc(4_000), Buffer.from('tick\n')]), false],
  ['Russian in KOI8', Buffer.alloc(500, 0xd4), false],
  ['numbers of 32 bits', Buffer.from(Uint32Array.from({ length: 100 }, (_, n) => n * 77).buffer), true],
  ['nothing but a hole', Buffer.alloc(20), false],
  ['nothing', Buffer.alloc(0), false],
])('takes %s for what it is', (_what, sample, expected) => {
  expect(isBinary(sample)).toBe(expected);
});

it('cuts at no place within a pair', () => {
  const text = 'a😀b😀';
  for (let from = 0; from <= text.length; from += 1)
    for (let to = from; to <= text.length; to += 1) {
      expect(cutText(text, to).isWellFormed()).toBe(true);
      const part = partOf(text, from, to);
      expect(part.isWellFormed()).toBe(true);
      expect(text.slice(from, to)).toContain(part);
    }
});
