/** What `edit` finds, keeps, and explains; and what `write` says of what it replaced. */
import { expect, it } from 'vitest';
import { SerialQueue } from '../../src/hands/serial-queue.ts';
import type { Tool, ToolAnswer, ToolInput } from '../../src/hands/tool.ts';
import { editTool } from '../../src/hands/tools/edit.ts';
import { writeTool } from '../../src/hands/tools/write.ts';
import { MemorySandbox } from '../support/memory-sandbox.ts';

const FILE = '/workspace/f';

async function perform(
  tool: Tool,
  before: string | Buffer,
  input: ToolInput,
): Promise<ToolAnswer & { content: string }> {
  const sandbox = new MemorySandbox();
  sandbox.files.set(FILE, Buffer.from(before));
  const { signal } = new AbortController();
  const context = { sandbox, callId: 'call', signal, changes: new SerialQueue() };
  const answer = await tool.run({ path: 'f', ...input }, context);
  return { ...answer, content: String(sandbox.files.get(FILE)) };
}

const edit = (before: string | Buffer, old: string, after: string, all = false) =>
  perform(editTool, before, { old, new: after, all });

it.each([
  ['several lines', 'a\r\nb\r\nc\r\n', 'a\nb', 'x\ny\nz', 'x\r\ny\r\nz\r\nc\r\n'],
  ['a part of a line', 'a\r\nb\r\nc', 'b', 'x\ny', 'a\r\nx\r\ny\r\nc'],
  ['the last line, which has no end', 'a\r\nb', 'b', 'x\ny', 'a\r\nx\r\ny'],
  ['from a newline on', 'a\r\nb\r\n', '\nb', '\nx', 'a\r\nx\r\n'],
  ['up to a newline', 'a\r\nb\r\n', 'a\n', '', 'b\r\n'],
  ['ends that are given', 'a\r\nb\r\n', 'a\r\nb', 'x\r\ny', 'x\r\ny\r\n'],
  ['ends that the file has not', 'a\nb\n', 'a\r\nb', 'x', 'x\n'],
  ['ends that are to be changed', 'a\r\nb\r\n', 'a\r\n', 'a\n', 'a\nb\r\n'],
  ['the LF part of a mixed file', 'a\r\nb\nc\n', 'b\nc', 'x\ny', 'a\r\nx\ny\n'],
  ['the CR LF part of a mixed file', 'a\r\nb\r\nc\n', 'a\nb', 'x\ny', 'x\r\ny\r\nc\n'],
  ['a file with a byte order mark', '\ufeffa\r\nb', 'a', 'x', '\ufeffx\r\nb'],
  ['a file that has LF', 'a\nb', 'a', 'x\ny', 'x\ny\nb'],
  ['beside a stray zero byte', 'a\0\nb', 'b', 'x', 'a\0\nx'],
  ['beside a lone CR', 'a\rb\r\nc', 'b\nc', 'x\ny', 'a\rx\r\ny'],
])('keeps line ends: %s', async (_what, before, old, after, content) => {
  expect(await edit(before, old, after)).toMatchObject({ ok: true, content });
});

it('keeps the ends of every place when all are replaced, and says that it wrote CR LF', async () => {
  const { content, output } = await edit('a\r\nb\na\r\nb\n', 'a\nb', '1\n2', true);

  expect(content).toBe('1\r\n2\n1\r\n2\n');
  expect(output).toBe('Edited f (2 places; its lines end with CR LF).');
});

it('counts what is there with either line end', async () => {
  expect((await edit('a\r\nb\r\na\nb\n', 'a\nb', 'x')).output).toContain('2 times (lines 1, 3)');
});

it('finds the same whatever line ends a file has: its text without CR is edited as a file with LF is', async () => {
  let state = 9;
  const next = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state % below;
  };
  for (let round = 0; round < 2_000; round += 1) {
    const text = (length: number): string =>
      Array.from({ length }, () => ['a', 'b', '\n', '\n', '😀'][next(5)]).join('');
    const [flat, old, after] = [text(12), text(1 + next(3)), text(next(4))];
    const mixed = flat.replaceAll('\n', () => (next(2) === 0 ? '\r\n' : '\n'));
    const [expected, found] = [await edit(flat, old, after, true), await edit(mixed, old, after, true)];

    const given = { mixed, old, after };
    const content = found.content.replaceAll('\r\n', '\n');
    expect({ ...given, ok: found.ok, content }).toEqual({
      ...given,
      ok: expected.ok,
      content: expected.content,
    });
    expect(found.content).not.toMatch(/\r(?!\n)/);
  }
});

it.each([
  [
    'Unicode form',
    'one\ncafe\u0301\n',
    'café',
    /from line 2 on in another Unicode form.*reads "cafe\\u0301"/,
  ],
  [
    'tabs',
    'if x:\n\treturn 1\n',
    'if x:\n    return 1',
    /line 1 on with other white space.*line 2 reads "\\treturn 1"/,
  ],
  ['spaces at the end', 'a  \nb\n', 'a\nb', /spaces at the ends of lines: line 1 reads "a {2}"/],
  [
    'typographic quotes',
    'x\nit’s “so”\n',
    'it\'s "so"',
    /line 2 on with other quotes.*\\u2019s \\u201cso\\u201d/,
  ],
  ['a narrow space', 'at 10\u202fAM', 'at 10 AM', /other quotes, dashes or spaces.*\\u202f/],
  ['case', 'Hello World', 'hello world', /other upper and lower case/],
  ['several', 'x = ‘A’;\n  y\n', "X  = 'a';\ny", /several such differences/],
  ['line numbers', 'a\nb\n', '     1\ta\n     2\tb', /Line 1 has it without the line numbers of read/],
  ['escapes', 'a\nb\n', 'a\\nb', /escapes/],
  ['entities', 'if (a < b && c)', 'if (a &lt; b &amp;&amp; c)', /entities/],
  [
    'its end',
    'a\nb\nc\n',
    'a\nb\nd',
    /beginning is in lines 1 to 2; then the next line reads "c", and "old" has "d"/,
  ],
  ['everything', 'a\n', 'zzz', /Read the file again/],
])('explains what is different: %s', async (_what, before, old, why) => {
  const { ok, output, content } = await edit(before, old, 'new');

  expect(output).toMatch(why);
  expect({ ok, content }).toEqual({ ok: false, content: before });
});

it.each([
  ['Latin-1', Buffer.from('Gr\xf6\xdfe', 'latin1'), /not a UTF-8 text file: edit it with bash/],
  ['UTF-16', Buffer.from('\ufeffa', 'utf16le'), /but UTF-16LE/],
])('refuses %s', async (_what, before, why) => {
  expect(await edit(before, 'a', 'b')).toMatchObject({ ok: false, output: expect.stringMatching(why) });
});

it('takes and writes no half of a character', async () => {
  expect(await edit('😀', '\ud83d', 'x')).toMatchObject({ ok: false, content: '😀' });
  expect(await edit('a', 'a', '\ude00')).toMatchObject({ ok: false, content: 'a' });
  expect(await perform(writeTool, 'a', { content: '\ud83d' })).toMatchObject({ ok: false, content: 'a' });
});

it('explains in a file of many megabytes of white space in a moment', async () => {
  const before = `${' '.repeat(2_000_000)}\n${'\t\n'.repeat(500_000)}`;

  expect((await edit(before, `a${' '.repeat(100_000)}b`, 'x')).ok).toBe(false);
});

it('write says what nobody sees of what it replaced', async () => {
  expect((await perform(writeTool, '\ufeffa\r\nb\r\nc\r\n', { content: 'a\nb\n' })).output).toBe(
    'Replaced f (4 bytes). Its lines ended with CR LF, now they end with LF. It began with a byte order mark, now it does not.',
  );
  expect((await perform(writeTool, 'a\r\n', { content: 'b\r\n' })).output).toBe('Replaced f (3 bytes).');
});
