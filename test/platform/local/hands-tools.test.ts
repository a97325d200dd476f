/** Each tool, in the real process in real bubblewrap. */
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../../src/kernel/id.ts';
import { TOOL_OUTPUT_BYTES_MAX } from '../../../src/kernel/limit.ts';
import type { Hands } from '../../../src/supervisor/launcher.ts';
import { Bench } from '../../support/hands.ts';

const sessionId = newId('session');
let bench: Bench;
let hands: Hands;
beforeAll(async () => {
  bench = await Bench.open();
  hands = await bench.hands(sessionId);
});
afterAll(() => bench.close());

const bash = (command: string) => bench.bash(hands, command);
const tool = (name: string, input: unknown) => bench.tool(hands, name, input);

describe('bash', () => {
  it('answers output and exit code of a command in /workspace', async () => {
    const result = await bash('pwd; echo to stderr >&2; exit 3');

    expect(result).toMatchObject({ outcome: 'failed', exitCode: 3 });
    expect(result.output).toBe('/workspace\nto stderr\n[exit code 3]');
  });

  it('keeps stdout and stderr in the order they were written', async () => {
    const result = await bash('for i in 1 2 3 4 5; do echo out$i; echo err$i >&2; done');

    expect(result.output.trim().split('\n')).toEqual([1, 2, 3, 4, 5].flatMap((i) => [`out${i}`, `err${i}`]));
  });

  it('lets a script open /dev/stdout and /dev/stderr', async () => {
    expect((await bash('echo one > /dev/stdout; echo two | tee /dev/stderr')).output).toBe('one\ntwo\ntwo\n');
  });

  it('says that a command without output had none', async () => {
    expect(await bash('true')).toMatchObject({ outcome: 'ok', output: '(no output)', exitCode: 0 });
  });

  it('keeps head and tail of long output and says how much it cut', async () => {
    const { output } = await bash('echo first; seq 1 100000; echo last');

    expect(Buffer.byteLength(output)).toBeLessThanOrEqual(TOOL_OUTPUT_BYTES_MAX);
    expect(output).toMatch(/^first\n1\n/);
    expect(output).toMatch(/\n100000\nlast\n$/);
    const cut = Number(/\[\.\.\. (\d+) bytes cut \.\.\.\]/.exec(output)?.[1]);
    expect(cut).toBeGreaterThan(500_000);
  });

  it('shows binary output as far as it can be shown', async () => {
    expect((await bash('head -c 1000 /dev/zero; echo done')).output).toBe('[1000 zero bytes]done\n');
  });

  it('leaves a daemon running after the command has ended well', async () => {
    await bash('(while true; do echo tick; sleep 0.05; done) & echo $! > daemon');

    expect((await bash('kill -0 $(cat daemon) && kill $(cat daemon) && echo alive')).output).toBe('alive\n');
  });

  it('tells which input it wants when the input is wrong', async () => {
    expect(await tool('bash', {})).toMatchObject({
      outcome: 'failed',
      output: 'The input of bash lacks "command".',
    });
    expect((await tool('bash', { command: 7 })).output).toContain('"command" of bash must be of type string');
    expect((await tool('bash', { command: 'true', cmd: '' })).output).toContain('has no field "cmd"');
    expect((await tool('bash', 'true')).output).toContain('must be an object');
    expect((await tool('sh', {})).output).toContain('There is no tool "sh". The tools are: bash, read');
  });
});

describe('write and read', () => {
  it('write makes folders and says whether the file was new; read numbers the lines', async () => {
    expect((await tool('write', { path: 'a/b/c.txt', content: 'one\ntwo\n' })).output).toBe(
      'Created a/b/c.txt (8 bytes).',
    );
    expect((await tool('write', { path: '/workspace/a/b/c.txt', content: 'eins\nzwei' })).output).toContain(
      'Replaced',
    );

    expect((await tool('read', { path: 'a/b/c.txt' })).output).toBe('     1\teins\n     2\tzwei');
  });

  it('read goes through a long file in pages', async () => {
    await bash('seq 1 5000 > numbers');

    const page = await tool('read', { path: 'numbers', offset: 4000, limit: 2 });
    expect(page.output).toBe('  4000\t4000\n  4001\t4001\n(there is more: go on with offset 4002)');
    expect((await tool('read', { path: 'numbers', offset: 4999 })).output).toBe('  4999\t4999\n  5000\t5000');
    expect((await tool('read', { path: 'numbers', offset: 9000 })).output).toContain('has only 5000 lines');
    expect((await tool('read', { path: 'numbers' })).output).toContain('go on with offset 2001');
  });

  it('read ends with the offset to go on with when the answer is full', async () => {
    await bash(`yes ${'x'.repeat(99)} | head -1000 > wide`);

    const { output } = await tool('read', { path: 'wide' });
    const next = Number(/go on with offset (\d+)/.exec(output)?.[1]);
    expect(Buffer.byteLength(output)).toBeLessThanOrEqual(TOOL_OUTPUT_BYTES_MAX);
    expect(output.split('\n')).toHaveLength(next);
  });

  it.each([
    ['a binary file', 'head -c 5000 /usr/bin/env > it', 'is a binary file'],
    ['a folder', 'mkdir it', 'is a folder: use list'],
    ['a fifo, without waiting for it', 'mkfifo it', 'is a special file'],
    ['nothing', 'true', 'does not exist'],
    ['a device', 'ln -s /dev/zero it', 'is a special file'],
    ['a file without permission', 'echo x > it; chmod 0 it', 'permission denied'],
  ])('read refuses %s', async (_what, make, reason) => {
    await bash(`chmod -R u+rw it; rm -rf it; ${make}`);

    expect(await tool('read', { path: 'it' })).toMatchObject({
      outcome: 'failed',
      output: expect.stringContaining(reason),
    });
  });

  it.each(['/etc/new', '/usr/bin/new', '/new', '/home/user/new/file', '/opt/holdfast/src/hands/server.ts'])(
    'write says that %s cannot be written and where it can write',
    async (path) => {
      const { outcome, output } = await tool('write', { path, content: 'x' });

      expect(outcome).toBe('failed');
      expect(output).toMatch(/only \/workspace and \/tmp can be written|permission denied/);
    },
  );

  it('write keeps the mode of a file, and a link a link', async () => {
    await bash('echo old > script; chmod 755 script; ln -sf script link');
    await tool('write', { path: 'link', content: 'new' });

    expect((await bash('stat -c %a script; readlink link; cat script')).output).toBe('755\nscript\nnew');
  });

  it('a link that was planted leads to nothing outside', async () => {
    const canary = join(bench.folder, 'canary');
    writeFileSync(canary, 'canary');
    symlinkSync(canary, join(bench.workspaceOf(sessionId), 'planted'));

    expect((await tool('read', { path: 'planted' })).output).toContain('does not exist');
  });
});

describe('edit', () => {
  it('replaces a text that is there once, taking "$&" as it is', async () => {
    await tool('write', { path: 'e', content: 'one\ntwo\nthree\n' });

    expect((await tool('edit', { path: 'e', old: 'two', new: '$& $1' })).output).toBe('Edited e (line 2).');
    expect((await bash('cat e')).output).toBe('one\n$& $1\nthree\n');
  });

  it('refuses what is not there, what is not unique, and what changes nothing', async () => {
    await tool('write', { path: 'e', content: 'a\nb\na\n' });

    expect((await tool('edit', { path: 'e', old: 'c', new: 'd' })).output).toContain('"old" is not in e');
    expect((await tool('edit', { path: 'e', old: 'a', new: 'd' })).output).toContain('2 times (lines 1, 3)');
    expect((await tool('edit', { path: 'e', old: 'a', new: 'a' })).output).toContain('nothing to change');
    expect((await tool('edit', { path: 'e', old: '', new: 'a' })).output).toContain('"old" is empty');
    expect((await tool('edit', { path: 'e', old: 'a', new: 'd', all: true })).output).toBe(
      'Edited e (2 places).',
    );
    expect((await bash('cat e')).output).toBe('d\nb\nd\n');
  });

  it('keeps Windows line ends', async () => {
    await bash("printf 'a\\r\\nb\\r\\nc\\r\\n' > crlf");

    expect((await tool('edit', { path: 'crlf', old: 'a\nb', new: 'x\ny' })).output).toContain('CR LF');
    expect((await bash('od -An -c crlf')).output.replaceAll(/\s+/g, ' ')).toBe(
      ' x \\r \\n y \\r \\n c \\r \\n ',
    );
  });

  it('refuses a file whose bytes it would damage', async () => {
    await bash("printf 'caf\\xe9' > latin1");

    expect((await tool('edit', { path: 'latin1', old: 'caf', new: 'tea' })).output).toContain(
      'is not a UTF-8 text file',
    );
  });
});

describe('list', () => {
  it('shows a tree with sizes, links unfollowed, made folders closed', async () => {
    await bash(
      'mkdir -p l/sub/deep/deeper l/node_modules/x; echo hi > l/f; ln -s /etc l/link; touch l/sub/deep/deeper/z',
    );

    expect((await tool('list', { path: 'l' })).output.split('\n')).toEqual([
      'f (3 bytes)',
      'link -> /etc',
      'node_modules/ ...',
      'sub/',
      '  deep/',
      '    deeper/ ...',
    ]);
  });

  it('shows names safely, links that lead nowhere, and names that are not UTF-8', async () => {
    await bash(
      `mkdir odd; cd odd; echo > $'two\\nlines'; echo > $'\\u202egpj.exe'; echo > 'a "b"'; ln -s nowhere broken; printf x > $'caf\\xe9'`,
    );

    expect((await tool('list', { path: 'odd' })).output.split('\n')).toEqual([
      'a "b" (1 bytes)',
      'broken -> nowhere (leads nowhere)',
      'caf\ufffd (1 bytes)',
      '"two\\nlines" (1 bytes)',
      '"\\u202egpj.exe" (1 bytes)',
    ]);
  });

  it('is bounded', async () => {
    await bash('mkdir many; cd many; touch $(seq 1 700)');

    const lines = (await tool('list', { path: 'many' })).output.split('\n');
    expect(lines).toHaveLength(501);
    expect(lines.at(-1)).toContain('cut after 500 entries');
  });

  it('tells a file from a folder', async () => {
    await bash('echo > plain');

    expect((await tool('list', { path: 'plain' })).output).toContain('is a file, not a folder');
    expect((await tool('list', { path: 'none' })).output).toContain('does not exist');
  });
});

describe('grep', () => {
  it('answers path, line number and line, and says when there is none and what was left out', async () => {
    await bash(
      'mkdir -p g/.git; printf "alpha\\nbeta\\n" > g/x; printf beta > g/.git/y; head -c 5000 /usr/bin/env > g/bin',
    );

    const skipped = '(folders not searched unless "path" names them: g/.git)';
    expect((await tool('grep', { pattern: '^b.ta$', path: 'g' })).output).toBe(`g/x:2:beta\n${skipped}`);
    expect(await tool('grep', { pattern: 'gamma', path: 'g' })).toMatchObject({
      outcome: 'ok',
      output: `(no match)\n${skipped}`,
    });
    expect((await tool('grep', { pattern: 'ELF', path: 'g' })).output).toContain('lines not shown: g/bin)');
  });

  it('explains a pattern that is none, and a path that is not there', async () => {
    expect(await tool('grep', { pattern: '(', path: 'g' })).toMatchObject({
      outcome: 'failed',
      output: expect.stringMatching(/[Uu]nmatched/),
    });
    expect((await tool('grep', { pattern: 'x', path: 'nowhere' })).output).toContain('does not exist');
    expect((await tool('grep', { pattern: '' })).outcome).toBe('failed');
  });

  it('stops after enough matches', async () => {
    await bash('yes match | head -100000 > plenty');

    const { outcome, output } = await tool('grep', { pattern: 'match', path: 'plenty' });
    expect(outcome).toBe('ok');
    expect(output.split('\n')).toHaveLength(201);
    expect(output).toContain('there is more');
  });

  it('does not wait for a fifo', async () => {
    await bash('mkdir waiting; mkfifo waiting/fifo');

    const said = '(no match)\n(special files, not read: waiting/fifo)';
    expect((await tool('grep', { pattern: 'x', path: 'waiting' })).output).toBe(said);
    expect((await tool('grep', { pattern: 'x', path: 'waiting/fifo' })).output).toBe(said);
  });

  it('says which files it may not read', async () => {
    await bash('mkdir closed; echo needle > closed/f; chmod 0 closed/f');

    expect((await tool('grep', { pattern: 'needle', path: 'closed' })).output).toBe(
      '(no match)\n(could not be read: closed/f)',
    );
  });

  it('ends at its deadline with a pattern that never would, keeps what it had found, and harms nothing', async () => {
    await bash('mkdir slow; echo aaab > slow/a; echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac > slow/b');

    const result = await bench.tool(hands, 'grep', { pattern: '^(a+)+(b|$)', path: 'slow' }, 4_000);
    expect(result).toMatchObject({ outcome: 'timed_out' });
    expect(result.output).toMatch(/^(slow\/a:1:aaab\n)?\[timed out/);
    expect((await tool('grep', { pattern: 'aaab', path: 'slow' })).output).toBe('slow/a:1:aaab');
  });
});
