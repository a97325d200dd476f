/** What the grep tool makes of what grep(1) says, with a grep that the test speaks for. */
import { expect, it } from 'vitest';
import { OneByOne } from '../../src/hands/one-by-one.ts';
import type { CommandEnd, Sandbox } from '../../src/hands/sandbox.ts';
import type { ToolAnswer } from '../../src/hands/tool.ts';
import { grepTool } from '../../src/hands/tools/grep.ts';
import { MemorySandbox } from '../support/memory-sandbox.ts';

function grep(said: string, end: CommandEnd): Promise<ToolAnswer> {
  const sandbox: Sandbox = new MemorySandbox((command) => {
    command.onOutput(Buffer.from(said));
    return end;
  });
  const { signal } = new AbortController();
  return grepTool.run({ pattern: 'x' }, { sandbox, callId: 'call', signal, changes: new OneByOne() });
}

const exited = (code: number): CommandEnd => ({ kind: 'exited', code, signal: null });

it('leaves no gap: after the first line that did not fit, no shorter one of the same chunk gets in', async () => {
  const long = Array.from({ length: 20 }, (_, n) => `long:${n}:${'x'.repeat(1_900)}`);
  const { output } = await grep([...long, 'short:1:x', ''].join('\n'), { kind: 'aborted' });

  expect(output).not.toContain('short');
  expect(output).toMatch(/\n\(there is more: use a narrower pattern or path\)$/);
  expect(output.split('\n').slice(0, -1)).toEqual(long.slice(0, output.split('\n').length - 1));
});

it('that was stopped with nothing found is no success and no failure of grep', async () => {
  expect(await grep('', { kind: 'aborted' })).toEqual({ ok: false, output: '' });
});

it('says that a pattern is none', async () => {
  expect(await grep('grep: Unmatched ( or \\(\n', exited(2))).toEqual({
    ok: false,
    output: '"pattern" is not an extended regular expression: Unmatched ( or \\(.',
  });
});

it('says that there was no match also when grep had something to remark', async () => {
  expect(await grep('grep: warning: stray \\ before d\n', exited(1))).toEqual({
    ok: true,
    output: 'grep: warning: stray \\ before d\n(no match)',
  });
});

it('says that a matching line was too long to be one', async () => {
  const answer = await grep('x'.repeat(2_000_000), { kind: 'aborted' });

  expect(answer).toEqual({ ok: false, output: expect.stringContaining('line of more than 1048576 bytes') });
});

it('says what ended it when that was the size of the workspace', async () => {
  const answer = await grep('', { kind: 'overQuota', explanation: 'over its limit' });

  expect(answer).toEqual({ ok: false, output: 'grep was killed: over its limit' });
});

it('tells the model what it does not search', () => {
  expect(grepTool.description).toContain('.git and node_modules');
});
