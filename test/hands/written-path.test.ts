/** Paths as people write them, and what is said of those that lead nowhere. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileRefused } from '../../src/hands/faults.ts';
import type { Sandbox } from '../../src/hands/sandbox.ts';
import { existingPlace, writablePlace } from '../../src/hands/written-path.ts';
import { HostSandbox } from '../../src/platform/host/sandbox.ts';

let folder: string;
let sandbox: Sandbox;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-path-'));
  sandbox = new HostSandbox({
    root: join(folder, 'files'),
    sizeMax: { bytes: 1_000_000, entries: 1_000 },
    env: {},
    pipeFolder: folder,
  });
  mkdirSync(sandbox.root);
});
afterEach(async () => {
  await sandbox.close();
  rmSync(folder, { recursive: true, force: true });
});

function put(...names: readonly string[]): void {
  for (const name of names) {
    mkdirSync(dirname(join(sandbox.root, name)), { recursive: true });
    writeFileSync(join(sandbox.root, name), '');
  }
}

const found = async (given: string): Promise<string> => (await existingPlace(sandbox, given)).shown;
const written = async (given: string): Promise<string> => (await writablePlace(sandbox, given)).shown;
const NARROW = 'Screenshot at 9.41\u202fPM.png';

describe.each([
  ['read', found],
  ['written', written],
] as const)('a path that is %s', (_use, place) => {
  it.each([
    ['~/a/b.txt', 'a/b.txt'],
    ['$HOME/a/b.txt', 'a/b.txt'],
    ['${HOME}/a/b.txt', 'a/b.txt'],
    ['$PWD/a/b.txt', 'a/b.txt'],
    ['"~/a/b.txt"', 'a/b.txt'],
    ['file:///workspace/a/b.txt', 'a/b.txt'],
    ['file://localhost/workspace/a/b.txt', 'a/b.txt'],
    ['file:/workspace/a/b.txt', 'a/b.txt'],
    ['FILE:///workspace/a/b%2etxt#L3', 'a/b.txt'],
    ['file:///workspace/caf%C3%A9.txt', 'café.txt'],
    [' a/b.txt\n', 'a/b.txt'],
    ['/workspace/a/b.txt ', 'a/b.txt'],
    ["'a/b.txt'", 'a/b.txt'],
    ['`a/b.txt`', 'a/b.txt'],
    ['./a//b.txt', 'a/b.txt'],
    ['cafe\u0301.txt', 'café.txt'],
  ])('%j is %s', async (given, shown) => {
    put('a/b.txt', 'café.txt');

    expect(await place(given)).toBe(shown);
  });

  it.each([
    '~',
    '~/x',
    '$HOME/x',
    'file:/x',
    ' x ',
    '"x"',
    'src\\x',
    '$id.tsx',
    '~$lock.doc',
    'a\\b/c',
    'x\u202fy',
    '%41',
  ])('%j is taken by the letter when it is there', async (name) => {
    put(name.startsWith('~') && name.length === 1 ? '~/in' : name, 'x', '41', 'x y');

    expect(await place(name)).toBe(name);
  });

  it('refuses what is no text and no path', async () => {
    put('/lib/x', '/LIB/x', '/local/x', '/localhosts/x', '/l/x', '/x', '/localhost');
    const elsewhere = ['src', 'lib', 'LIB', 'local', 'localhosts', 'localhost:80', 'l', ' '].map(
      (host) => `file://${host}/x`,
    );
    for (const given of [
      'a\ud83d',
      '',
      'a\0b',
      'file:///workspace/%ff',
      'file:x',
      'file://localhost',
      ...elsewhere,
    ])
      await expect(place(given)).rejects.toThrow(FileRefused);
  });
});

it('a name that begins with a folder of that name is written by the letter', async () => {
  put('~/in', '$HOME/in');

  expect(await written('~/new')).toBe('~/new');
  expect(await written('$HOME/new')).toBe('$HOME/new');
  expect(await written('$postId.tsx')).toBe('$postId.tsx');
  expect(await written('~backup')).toBe('~backup');
});

it('says what was taken for what', async () => {
  put(NARROW, 'it\u2019s.txt', 'a/f');

  expect(await existingPlace(sandbox, 'Screenshot at 9.41 PM.png')).toMatchObject({
    shown: NARROW,
    note: expect.stringContaining('differs in Unicode form, spaces or quotes only'),
  });
  expect(await found("it's.txt")).toBe('it\u2019s.txt');
  expect(await found('a\\f')).toBe('a/f');
  expect((await writablePlace(sandbox, ' new.txt ')).note).toBe('the path was given as " new.txt "');
  expect((await writablePlace(sandbox, '~/new.txt')).note).toBeUndefined();
});

it('takes nothing when two names look like the one that was given', async () => {
  put('a\u00a0b', 'a\u202fb');

  await expect(found('a b')).rejects.toThrow(/Did you mean a.b or a.b\?/);
});

it('a written name that only looks like another one is a name of its own', async () => {
  put(NARROW);

  expect(await written('Screenshot at 9.41 PM.png')).toBe('Screenshot at 9.41 PM.png');
});

it.each([
  ['readme.md', 'Did you mean README.md?'],
  ['src/indx.ts', 'Did you mean src/index.ts?'],
  ['src/index.js', 'Did you mean src/index.ts?'],
  ['/src/index.ts', 'Did you mean src/index.ts?'],
  ['src/index.ts:12:3', 'src/index.ts does: give a line by "offset"'],
  ['src/index.ts#L12', 'src/index.ts does: give a line by "offset"'],
  ['src/index.ts/x/y', 'src/index.ts is a file and no folder'],
  ['nothing/like/it', 'does not exist: look with list'],
  ['x'.repeat(10_000), 'does not exist'],
])('says of %s what is there', async (given, why) => {
  put('README.md', 'src/index.ts');

  await expect(found(given)).rejects.toThrow(why);
});

it.each([
  ['new/', 'ends with a slash, so it is a folder'],
  ['src\\new.txt', 'holds a backslash: write src/new.txt'],
  ['no\\folder/new.txt', 'holds a backslash'],
])('does not guess what %s should be', async (given, why) => {
  await expect(written(given)).rejects.toThrow(why);
});

it('takes a slash at the end of what is there for nothing', async () => {
  put('a/f');

  expect(await found('a/')).toBe('a');
  expect(await found('a/f/')).toBe('a/f');
});

it('takes a link that leads nowhere for what it is', async () => {
  symlinkSync('later', join(sandbox.root, 'link'));

  expect(await written('link')).toBe('link');
  expect(await found('link')).toBe('link');
});
