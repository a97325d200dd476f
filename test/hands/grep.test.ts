/** What the grep tool makes of how the search program ends, with one that the test speaks for. */
import { expect, it } from 'vitest';
import { SerialQueue } from '../../src/hands/serial-queue.ts';
import type { Command, CommandEnd } from '../../src/hands/sandbox.ts';
import type { ToolAnswer } from '../../src/hands/tool.ts';
import { grepTool } from '../../src/hands/tools/grep.ts';
import { MemorySandbox } from '../support/memory-sandbox.ts';

const commands: Command[] = [];
function grep(said: string, end: CommandEnd, input: object = {}): Promise<ToolAnswer> {
  const sandbox = new MemorySandbox((command) => {
    commands.push(command);
    command.onOutput(Buffer.from(said));
    return end;
  });
  sandbox.files.set('/workspace/src/f', Buffer.from(''));
  const { signal } = new AbortController();
  return grepTool.run(
    { pattern: 'x', ...input },
    { sandbox, callId: 'call', signal, changes: new SerialQueue() },
  );
}

const exited = (code: number | null): CommandEnd => ({
  kind: 'exited',
  code,
  signal: code === null ? 'SIGKILL' : null,
});

it('asks for what it was asked for', async () => {
  await grep('', exited(0), { path: 'src', glob: '*.ts', ignore_case: true });

  expect(JSON.parse(commands.at(-1)?.argv.at(-1) ?? '')).toEqual({
    pattern: 'x',
    ignoreCase: true,
    glob: '*.ts',
    path: '/workspace/src',
    shown: 'src',
  });
});

it('starts nothing for a pattern or a glob that is none', async () => {
  const before = commands.length;

  expect(await grep('', exited(0), { pattern: '(' })).toEqual({
    ok: false,
    output: '"pattern" is no regular expression that can be taken: unmatched (.',
  });
  expect((await grep('', exited(0), { glob: '' })).output).toContain('"glob" must have');
  for (const glob of ['[z-a].ts', '[!9-0]', 'src/{a,[z-a]}', '!x[\u{1f602}-\u{1f600}]'])
    expect(await grep('', exited(0), { glob })).toEqual({
      ok: false,
      output: expect.stringContaining('range that goes backwards'),
    });
  expect(commands).toHaveLength(before);
});

it('takes every other glob, whatever it is made of', async () => {
  const parts = [
    '[',
    ']',
    '!',
    '^',
    '-',
    '\\',
    '{',
    '}',
    ',',
    '*',
    '?',
    '(',
    '|',
    '$',
    '.',
    '/',
    'a',
    '\u{1f600}',
  ];
  for (const one of parts) {
    for (const two of parts) {
      for (const three of parts) {
        const { ok, output } = await grep('', exited(0), { glob: `[${one}${two}${three}a]${one}` });
        expect(ok || output.includes('range that goes backwards'), `${one}${two}${three}: ${output}`).toBe(
          true,
        );
      }
    }
  }
});

it.each<[CommandEnd, string, ToolAnswer]>([
  [exited(0), 'f:1:x\n', { ok: true, output: 'f:1:x' }],
  [
    exited(2),
    'f does not exist: look with list.\n',
    { ok: false, output: 'f does not exist: look with list.' },
  ],
  [
    exited(null),
    'f:1:x\n',
    { ok: false, output: 'f:1:x\n(the search ended before its end: killed by SIGKILL)' },
  ],
  [{ kind: 'aborted' }, 'f:1:x\n', { ok: false, output: 'f:1:x' }],
  [{ kind: 'overQuota', explanation: 'full' }, '', { ok: false, output: '(the search was killed: full)' }],
  [
    { kind: 'notStarted', reason: 'none' },
    '',
    { ok: false, output: 'The search could not be started: none' },
  ],
])('says how the search ended: %j', async (end, said, answer) => {
  expect(await grep(said, end)).toEqual(answer);
});

it('tells the model what it does not search', () => {
  expect(grepTool.description).toContain('.git and node_modules');
});
