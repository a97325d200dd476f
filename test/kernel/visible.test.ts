import { describe, expect, it } from 'vitest';
import { jsonLogger } from '../../src/kernel/logger.ts';
import { visible, visibleJson } from '../../src/kernel/visible.ts';

/** Whatever a terminal could obey, written without it. */
const OBEYED = [
  ...Array.from({ length: 0xa0 }, (_, code) => code).filter((code) => code < 0x20 || code > 0x7e),
  ...[0x061c, 0x200b, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202e, 0x2066, 0x2069, 0xfeff, 0xd800, 0xdfff],
  ...[0xe0001, 0xe0041, 0xe007f],
]
  .filter((code) => code !== 0x09 && code !== 0x0a)
  .map((code) => String.fromCodePoint(code));

describe('TERMINAL-1: what a terminal obeys', () => {
  it('is shown as a program writes it', () => {
    expect(visible('\x1b[2J\x1b]0;title\x07')).toBe(String.raw`\x1b[2J\x1b]0;title\x07`);
    expect(visible('a\r\u009b31m\u202egnp\u{e0041}')).toBe(String.raw`a\r\x9b31m\u202egnp\u{e0041}`);
    for (const character of OBEYED) expect(visible(`a${character}b`)).toMatch(/^a\\[\w{}]+b$/);
  });

  it('leaves text as it is, and what is visible already', () => {
    const text = 'Grüße, 你好, עברית, 👩‍🔬, é, tab\tline\n';

    expect(visible(text)).toBe(text);
    expect(visible(visible(OBEYED.join('')))).toBe(visible(OBEYED.join('')));
  });

  it('stays the same JSON in a line of the log', () => {
    const value = { text: OBEYED.join('x'), plain: 'é 你好' };
    const json = visibleJson(JSON.stringify(value));

    expect(JSON.parse(json)).toEqual(value);
    expect(visible(json)).toBe(json);
  });

  it('does not reach a terminal by the log, by messages, names, fields or errors', () => {
    const lines: string[] = [];
    const logger = jsonLogger('info', (line) => lines.push(line));
    const bad = OBEYED.join('');
    logger
      .with({ [bad]: bad })
      .info(`message ${bad}`, { deep: { list: [bad] }, error: new Error(bad, { cause: bad }) });

    expect(lines).toHaveLength(1);
    expect(visible(lines[0] ?? '')).toBe(lines[0]);
    expect(JSON.parse(lines[0] ?? '').deep.list).toEqual([bad]);
  });
});

describe('a line of the log', () => {
  const written = (fields: object): string => {
    const lines: string[] = [];
    jsonLogger('info', (line) => lines.push(line)).warn('long', fields as never);
    return lines.join('');
  };

  it('cuts a long text and says how much is missing', () => {
    const { text, error } = JSON.parse(
      written({ text: 'x'.repeat(10_000), error: new Error('y'.repeat(20_000)) }),
    );

    expect(text).toBe(`${'x'.repeat(8_192)}… (1808 characters more)`);
    expect(error.message.length).toBeLessThan(8_300);
  });

  it('ends, whatever is in it', () => {
    const line = written({ list: Array.from({ length: 100_000 }, () => 'item') });

    expect(line.length).toBeLessThan(17_000);
    expect(JSON.parse(line)).toMatchObject({
      level: 'warn',
      message: 'long',
      cut: expect.stringContaining('item'),
    });
  });
});
