/** A file that is written stays the same file for everybody who knows it. */
import {
  chmodSync,
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { execFileSync, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writeWhole } from '../../../src/platform/host/written-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-written-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string): string => join(folder, name);
const write = (name: string, content: string) => writeWhole(at(name), Buffer.from(content));
const content = (name: string): string => readFileSync(at(name), 'utf8');

it.each(['', 'x', 'as long', 'much longer than what was there before'])(
  'all names of a file see what is written through one of them (%j)',
  async (text) => {
    writeFileSync(at('one'), 'so long');
    linkSync(at('one'), at('two'));

    expect(await write('one', text)).toEqual({ created: false });
    expect(content('two')).toBe(text);
    expect(readdirSync(folder).toSorted()).toEqual(['one', 'two']);
  },
);

it('a program that has the file open reads the new content, and what it appends is not lost', async () => {
  writeFileSync(at('log'), 'old\n');
  const fd = openSync(at('log'), 'a+');
  try {
    await write('log', '');
    writeSync(fd, 'tick\n');

    expect(content('log')).toBe('tick\n');
    await write('log', 'new\n');
    expect(readSync(fd, Buffer.alloc(10), 0, 10, 0)).toBe(4);
  } finally {
    closeSync(fd);
  }
});

it('a new file is there as a whole, with its folders, and leaves nothing beside it', async () => {
  expect(await write('a/b/c', 'text')).toEqual({ created: true });

  expect(content('a/b/c')).toBe('text');
  expect(readdirSync(at('a/b'))).toEqual(['c']);
  expect(await write('n'.repeat(255), 'long name')).toEqual({ created: true });
});

it.each([
  ['to a file', 'real'],
  ['to another link', 'next'],
  ['to an absolute path', '/real'],
  ['that dangles', 'later'],
  ['that dangles into a folder that is not there', 'new/later'],
])('a link %s stays a link, and what it means is written', async (_where, given) => {
  const to = given.startsWith('/') ? at(given) : given;
  writeFileSync(at('real'), 'old');
  symlinkSync('real', at('next'));
  symlinkSync(to, at('link'));

  expect(await write('link', 'through')).toMatchObject({ target: expect.stringMatching(/real|later/) });
  expect(readlinkSync(at('link'))).toBe(to);
  expect(readFileSync(at('link'), 'utf8')).toBe('through');
});

it('a link in a linked folder is followed from where the folder is', async () => {
  mkdirSync(at('deep/er'), { recursive: true });
  symlinkSync('../later', at('deep/er/link'));
  symlinkSync('deep/er', at('short'));

  await write('short/link', 'through');
  expect(content('deep/later')).toBe('through');
});

it.each([
  ['a link to itself', () => symlinkSync('it', at('it')), 'circle'],
  ['a circle of links', () => (symlinkSync('on', at('it')), symlinkSync('it', at('on'))), 'circle'],
  ['a folder', () => mkdirSync(at('it')), 'is a folder'],
  ['a link to a folder', () => (mkdirSync(at('f')), symlinkSync('f', at('it'))), 'is a folder'],
  ['a fifo', () => execFileSync('mkfifo', [at('it')]), 'special file'],
  ['a device', () => symlinkSync('/dev/null', at('it')), 'special file'],
])('refuses %s and leaves it as it is', async (_what, make, why) => {
  make();
  const before = lstatSync(at('it')).ino;

  await expect(write('it', 'x')).rejects.toThrow(why);
  expect(lstatSync(at('it')).ino).toBe(before);
});

it('refuses a file that is read-only for everybody, and says how it can be changed', async () => {
  writeFileSync(at('it'), 'old');
  chmodSync(at('it'), 0o444);

  await expect(write('it', 'x')).rejects.toThrow(/read-only \(mode 444\).*chmod/);
  expect(content('it')).toBe('old');
});

it('names the file that is in the way', async () => {
  writeFileSync(at('file'), 'old');

  await expect(write('file/a/b', 'x')).rejects.toThrow(`goes through ${at('file')}, which is a file`);
});

it.each([0o755, 0o600, 0o4755, 0o2750])('keeps the mode %o', async (mode) => {
  writeFileSync(at('it'), 'old');
  chmodSync(at('it'), mode);

  await write('it', 'new and longer');
  expect(statSync(at('it')).mode & 0o7777).toBe(mode);
});

it('writes a file in a folder where no other can be made', async () => {
  mkdirSync(at('closed'));
  writeFileSync(at('closed/it'), 'old');
  chmodSync(at('closed'), 0o555);

  await write('closed/it', 'new');
  expect(content('closed/it')).toBe('new');
  chmodSync(at('closed'), 0o755);
});

it('leaves the old content when the new one does not fit', async () => {
  writeFileSync(at('it'), 'old');
  const program = `
    import { writeWhole } from ${JSON.stringify(join(import.meta.dirname, '../../../src/platform/host/written-file.ts'))};
    process.on('SIGXFSZ', () => undefined);
    await writeWhole(process.argv[1], Buffer.alloc(100_000, 'x')).catch((error) => console.log(error.message));`;
  const limited = spawn(
    'prlimit',
    ['--fsize=20000', '--', process.execPath, '--input-type=module', '-e', program, at('it')],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let said = '';
  for await (const chunk of limited.stdout) said += String(chunk);

  expect(said).toContain('would be too large');
  expect(content('it')).toBe('old');
});
