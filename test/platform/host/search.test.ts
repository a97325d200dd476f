/** What the search program finds in real files, and says of what it left out. grep(1) with -P is the reference. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SearchRequest } from '../../../src/hands/search/request.ts';
import { search } from '../../../src/platform/host/search/search.ts';
import { TOOL_OUTPUT_BYTES_MAX } from '../../../src/kernel/limit.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-search-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function put(name: string, content: string | Buffer): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), content);
}

function find(pattern: string, more: Partial<SearchRequest> & { at?: string } = {}): string {
  const { at = '', ...rest } = more;
  let said = '';
  const request = { pattern, ignoreCase: false, path: join(folder, at), shown: at, ...rest };
  search(
    request,
    (text) => (said += text),
    () => 0,
  );
  return said.trimEnd();
}

it('finds in files of every kind', () => {
  put('bom.txt', '\ufeffneedle first\n');
  put('dos.txt', 'ends with needle\r\n');
  put('latin.py', Buffer.from('needle \xa4\n', 'latin1'));
  put('little.txt', Buffer.from('\ufeffa needle in UTF-16\r\n', 'utf16le'));
  put('big.txt', Buffer.from('\ufeffa needle in UTF-16\r\n', 'utf16le').swap16());
  put('unmarked.txt', Buffer.from('a needle unmarked\n', 'utf16le'));
  put('stray.mjs', 'one\0\nneedle\0here\n');
  put('hole.log', Buffer.concat([Buffer.alloc(100_000), Buffer.from('needle\n')]));
  put('.hidden/.file', 'needle');
  put('new\nline', 'needle\n');

  const said = find('needle');
  for (const line of [
    'bom.txt:1:needle first',
    'dos.txt:1:ends with needle',
    'latin.py:1:needle \ufffd',
    'little.txt:1:a needle in UTF-16',
    'big.txt:1:a needle in UTF-16',
    'unmarked.txt:1:a needle unmarked',
    'stray.mjs:2:needle\u2400here',
    '.hidden/.file:1:needle',
    '"new\\nline":1:needle',
  ])
    expect(said.split('\n')).toContain(line);
  expect(said).toContain('hole.log:1:[');
  expect(said).toContain('(not UTF-8, other bytes are shown as \ufffd: latin.py)');
  expect(find('needle$').split('\n')).toEqual([
    '.hidden/.file:1:needle',
    'dos.txt:1:ends with needle',
    expect.stringContaining('hole.log:1:'),
    '"new\\nline":1:needle',
  ]);
  expect(find('^needle').split('\n')).toContain('bom.txt:1:needle first');
});

it('finds a letter in each of its forms and encodings', () => {
  put('composed', 'caf\u00e9\n');
  put('decomposed', 'cafe\u0301\n');
  put('latin', Buffer.from('caf\xe9\n', 'latin1'));

  for (const pattern of ['caf\u00e9', 'cafe\u0301', '^caf[\u00e9x]$', '(?i)CAF\u00c9'])
    expect(find(pattern).match(/^\w+(?=:1:)/gm)).toEqual(['composed', 'decomposed', 'latin']);
});

it('finds matches over lines in each form of a text that has several', () => {
  put('both', 'caf\u00e9\nx\ny\ncafe\u0301\nx\ncaf\u00e9\nx\n');
  put('latin', Buffer.from('caf\xe9\nx\ncafe\nx\n', 'latin1'));

  const linesOf = (pattern: string, at: string) =>
    find(pattern, { at })
      .match(/(?<=:)\d+(?=:)/g)
      ?.map(Number);
  for (const pattern of ['caf\u00e9\\nx', 'cafe\u0301\\nx'])
    expect(linesOf(pattern, 'both')).toEqual([1, 2, 4, 5, 6, 7]);
  expect(linesOf('caf.\\nx', 'latin')).toEqual([1, 2, 3, 4]);
  expect(linesOf('caf[\u00e9\ufffde]\\nx', 'latin')).toEqual([1, 2, 3, 4]);
  expect(linesOf('caf[\u00e9e]\\nx', 'latin')).toEqual([1, 2, 3, 4]);
});

it('shows a match in a long line with what is around it, and goes on with the other files', () => {
  put('a.js', `${'x'.repeat(700_000)}needle${'😀'.repeat(300_000)}\n`);
  put('b.js', 'needle\n');

  const [first = '', second] = find('needle').split('\n');
  expect(first).toMatch(/^a\.js:1:\[699800 characters cut \.\.\.\] x{200}needle/);
  expect(first).toMatch(/ \[\.\.\. \d+ characters cut\]$/);
  expect(first.isWellFormed()).toBe(true);
  expect(first.length).toBeLessThan(2_200);
  expect(second).toBe('b.js:1:needle');
});

it('says what it has left out, and searches what is named', () => {
  put('node_modules/p/node_modules/q/i.js', 'needle');
  put('.git/config', 'needle');
  put(
    'bin',
    Buffer.concat([Buffer.from(Uint32Array.from({ length: 99 }, (_, n) => n)), Buffer.from('\nneedle')]),
  );
  symlinkSync(tmpdir(), join(folder, 'out'));
  symlinkSync('node_modules', join(folder, 'inside'));
  symlinkSync('nowhere', join(folder, 'dangling'));
  spawnSync('mkfifo', [join(folder, 'fifo')]);

  expect(find('needle').split('\n').toSorted()).toEqual([
    '(binary files that match, lines not shown: bin)',
    '(folders not searched unless "path" names them: .git, node_modules)',
    '(links that lead elsewhere, not followed: out)',
    '(special files, not read: fifo)',
  ]);
  expect(find('nothing')).toMatch(/^\(no match\)\n/);
  expect(find('needle', { at: 'node_modules' })).toBe('node_modules/p/node_modules/q/i.js:1:needle');
  expect(find('needle', { at: 'node_modules/p' })).toContain('q/i.js:1:needle');
  expect(find('needle', { at: 'inside' })).toContain('inside/p/node_modules/q/i.js:1:needle');
  expect(find('needle', { at: '.git/config' })).toBe('.git/config:1:needle');
  expect(find('needle', { at: 'bin' })).toMatch(/^bin:\d+:needle$/);
  expect(find('nothing', { at: 'node_modules/p' })).toBe('(no match)');
  expect(find('needle', { at: 'fifo' })).toBe('(no match)\n(special files, not read: fifo)');
});

it.skipIf(process.getuid?.() === 0)('says which files could not be read', () => {
  put('closed', 'needle');
  chmodSync(join(folder, 'closed'), 0);

  expect(find('needle')).toBe('(no match)\n(could not be read: closed)');
});

it('searches names that are not UTF-8, and cuts no long list of names short in silence', () => {
  writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0x63, 0xe9])]), 'needle');
  for (let n = 10; n < 20; n += 1) mkdirSync(join(folder, `p${n}/.git`), { recursive: true });

  expect(find('needle')).toBe(
    'c\ufffd:1:needle\n(folders not searched unless "path" names them: p10/.git, p11/.git, p12/.git, p13/.git, p14/.git and 5 more)',
  );
});

it('matches over lines when the pattern speaks of them', () => {
  put('f', 'one\r\ntwo\r\nthree\r\nfour\r\ntwo\r\nthree\r\n');

  expect(find('two\\nthree')).toBe('f:2:two\nf:3:three\nf:5:two\nf:6:three');
  expect(find('one[\\s\\S]*?four').split('\n')).toHaveLength(4);
  expect(find('two\nth')).toContain('f:3:three');
  expect(find('two\\r\\n').split('\n')).toHaveLength(2);
  expect(find('two\\r$').split('\n')).toHaveLength(2);
  expect(find('four\\nthree')).toBe('(no match)');
});

it('takes only the files of a glob, and says when there is none', () => {
  for (const name of ['a.ts', 'src/b.ts', 'src/deep/c.tsx', 'd.js', 'd.min.js', 'x[1].md'])
    put(name, 'needle');
  const names = (glob: string): readonly string[] => find('needle', { glob }).match(/^[^(:]+(?=:)/gm) ?? [];

  expect(names('*.ts')).toEqual(['a.ts', 'src/b.ts']);
  expect(names('src/**')).toEqual(['src/b.ts', 'src/deep/c.tsx']);
  expect(names('**/*.{ts,tsx}')).toEqual(['a.ts', 'src/b.ts', 'src/deep/c.tsx']);
  expect(names('!*.min.js')).not.toContain('d.min.js');
  expect(names('[ad].?s')).toEqual(['a.ts', 'd.js']);
  expect(names('x\\[1\\].md')).toEqual(['x[1].md']);
  expect(find('needle', { glob: '*.rs' })).toBe('(no match)\n("glob" takes none of the files)');
});

it('stops when the answer is full or the time is over, and says so', () => {
  put('many', 'needle\n'.repeat(1_000));
  put('wide', `${'needle '.repeat(200)}\n`.repeat(100));
  expect(find('needle', { at: 'many' }).split('\n')).toHaveLength(201);
  const said = find('needle', { at: 'wide' });
  expect(said).toMatch(/\n\(there is more: use a narrower pattern or path\)$/);
  expect(Buffer.byteLength(said)).toBeLessThan(TOOL_OUTPUT_BYTES_MAX);

  let [now, late] = [0, ''];
  const request = { pattern: 'nothing', ignoreCase: false, path: folder, shown: '' };
  search(
    request,
    (text) => (late += text),
    () => (now += 45_000),
  );
  expect(late).toBe('(stopped after 60 s and 1 files, the rest was not searched: use a narrower path)\n');
});

it('finds lines and their numbers in a file of many pieces', () => {
  const line = `${'x'.repeat(99)}\n`;
  put('large', `${line.repeat(100_000)}needle\n${line.repeat(5)}`);

  expect(find('needle')).toBe('large:100001:needle');
  expect(find('needle\\n')).toBe('large:100001:needle');
});

describe('as grep -P does', () => {
  const seed = Number(process.env['HOLDFAST_TEST_SEED'] ?? 20_260);
  let state = seed;
  const next = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state >> 8) % below;
  };
  const one = (of: readonly string[]): string => of[next(of.length)] ?? '';
  const ATOMS = [
    'a',
    'b',
    'Z',
    '7',
    ' ',
    '.',
    '\\d',
    '\\w',
    '\\s',
    '\\W',
    '[ab]',
    '[^a7]',
    '[[:upper:]]',
    '\\bx',
    '-',
  ];
  const pattern = (depth: number): string => {
    const parts = Array.from({ length: 1 + next(3) }, () => {
      const kind = depth === 0 ? 0 : next(6);
      const atom =
        kind < 3
          ? one(ATOMS)
          : one(['(', '(?:', '(?=', '(?!', '(?i:']) +
            pattern(depth - 1) +
            (next(3) === 0 ? `|${one(ATOMS)}` : '') +
            ')';
      return atom.startsWith('(?=') || atom.startsWith('(?!')
        ? atom
        : atom + one(['', '', '', '*', '+', '?', '{2}']);
    });
    return one(['', '', '^']) + parts.join('') + one(['', '', '$', '\\b']);
  };

  it(`on generated files and patterns (seed ${seed})`, () => {
    for (let round = 0; round < 60; round += 1) {
      const text = Array.from({ length: 40 }, () =>
        Array.from({ length: next(8) }, () => one(['a', 'b', 'Z', 'z', '7', ' ', '\t', '-', 'x', '_'])).join(
          '',
        ),
      ).join('\n');
      put('f', `${text}\n`);
      const given = pattern(2);
      const { stdout, status } = spawnSync('grep', ['-nP', '-e', given, 'f'], {
        cwd: folder,
        encoding: 'utf8',
        env: { LC_ALL: 'C', PATH: process.env['PATH'] },
      });
      if (status !== 0 && status !== 1) continue;
      const expected =
        stdout === ''
          ? ['(no match)']
          : stdout
              .trimEnd()
              .split('\n')
              .map((line) => line.replace(/:.*/, ''));
      const found = find(given, { at: 'f' })
        .split('\n')
        .filter((line) => !line.startsWith('("$"'))
        .map((line) => line.replace(/^f:(\d+):.*/, '$1'));
      expect({ given, seed, found }).toEqual({ given, seed, found: expected });
    }
  });
});
