/** What `read` makes of the bytes of a file. */
import { expect, it } from 'vitest';
import { SerialQueue } from '../../src/hands/serial-queue.ts';
import type { ToolAnswer } from '../../src/hands/tool.ts';
import { readTool } from '../../src/hands/tools/read.ts';
import { TOOL_OUTPUT_BYTES_MAX } from '../../src/kernel/limit.ts';
import { MemorySandbox } from '../support/memory-sandbox.ts';

function read(content: string | Buffer, input: object = {}): Promise<ToolAnswer> {
  const sandbox = new MemorySandbox();
  sandbox.files.set('/workspace/f', Buffer.from(content));
  const { signal } = new AbortController();
  return readTool.run(
    { path: 'f', ...input },
    { sandbox, callId: 'call', signal, changes: new SerialQueue() },
  );
}

it.each([1_997, 1_998, 1_999, 2_000])(
  'cuts a long line at no half of a character (%i before it)',
  async (length) => {
    for (const character of ['😀', 'é', '€']) {
      const { output } = await read(`${'a'.repeat(length)}${character.repeat(3_000)}\n`);

      expect(output.isWellFormed()).toBe(true);
      expect(output).not.toContain('\ufffd');
      expect(output).toMatch(/ \[\.\.\. line of \d+ bytes cut\]$/);
    }
  },
);

it('cuts a line that is longer than what is kept of it at no half of a character', async () => {
  for (let shift = 0; shift < 4; shift += 1) {
    const { output } = await read(`${'a'.repeat(shift)}${'😀'.repeat(100_000)}`);

    expect(output.isWellFormed()).toBe(true);
    expect(output).not.toContain('\ufffd');
  }
});

it.each([
  ['all', 'a\r\nb\r\n', '     1\ta\n     2\tb\n(lines end with CR LF)'],
  ['some', 'a\r\nb\nc', '     1\ta\n     2\tb\n     3\tc\n(1 of these 2 lines end with CR LF)'],
  ['none', 'a\nb\rc\n', '     1\ta\n     2\tb\rc'],
])('says that lines end with CR LF when %s do', async (_how, content, output) => {
  expect(await read(content)).toEqual({ ok: true, output });
});

it('shows a file of another encoding, a byte order mark, and a stray zero byte', async () => {
  expect((await read(Buffer.from('Gr\xf6\xdfe', 'latin1'))).output).toBe(
    '     1\tGr\ufffd\ufffde\n[2 bytes were not UTF-8, shown as \ufffd]',
  );
  expect((await read('\ufeffone\n')).output).toBe('     1\tone\n(the file begins with a byte order mark)');
  expect((await read('one\0\ntwo\n')).output).toBe(
    '     1\tone\u2400\n     2\ttwo\n[1 byte was zero, shown as \u2400]',
  );
});

it('reads UTF-16, with its mark or without, whatever piece a character is torn over', async () => {
  const little = Buffer.from('\ufeffGröße 😀\r\nzwei\r\n', 'utf16le');
  const lines = '     1\tGröße 😀\n     2\tzwei';

  expect((await read(little)).output).toBe(`${lines}\n(the file is UTF-16LE)\n(lines end with CR LF)`);
  expect((await read(Buffer.from(little).swap16())).output).toContain(`${lines}\n(the file is UTF-16BE)`);
  expect((await read(Buffer.from('no mark\n', 'utf16le'))).output).toBe(
    '     1\tno mark\n(the file is UTF-16LE)',
  );
});

it('reads a log that was emptied while a program wrote it', async () => {
  const { output } = await read(Buffer.concat([Buffer.alloc(5_000), Buffer.from('tick\ntock\n')]));

  expect(output).toBe('     1\t[5000 zero bytes]tick\n     2\ttock');
});

it('refuses what is no text', async () => {
  const numbers = Buffer.from(Uint32Array.from({ length: 100 }, (_, n) => n * 77).buffer);

  expect(await read(numbers)).toMatchObject({
    ok: false,
    output: expect.stringContaining('is a binary file'),
  });
});

it('keeps its bound, whatever it has to say of the lines', async () => {
  const { output } = await read(
    Buffer.from(`\xef\xbb\xbf${`${'\xe9'.repeat(15)}${'x'.repeat(80)}\0\r\n`.repeat(3_000)}`, 'latin1'),
  );

  expect(Buffer.byteLength(output)).toBeLessThanOrEqual(TOOL_OUTPUT_BYTES_MAX);
  expect(output).toMatch(
    /zero, shown as \u2400\]\n\(the file begins with a byte order mark\)\n\(lines end with CR LF\)\n\(there is more: go on with offset \d+\)$/,
  );
});
