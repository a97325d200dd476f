/**
 * The bootstrap in a made-up clone: a lockfile of two packages, an npm and an apt-get that do what the real ones do to the
 * disk and write down that they were called.
 */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const SCRIPT = path.resolve(import.meta.dirname, '../../scripts/bootstrap.mjs');
const NODE_PACKAGE = `node_modules/node-${process.platform}-${process.arch}`;
const PACKAGES = {
  '': {},
  'node_modules/one': { version: '1.0.0' },
  [NODE_PACKAGE]: { version: '24.21.0', optional: true },
};
const isRoot = process.getuid?.() === 0;

let clone = '';

beforeEach(() => {
  clone = mkdtempSync(path.join(tmpdir(), 'holdfast-bootstrap-'));
  for (const folder of ['scripts', 'tools', 'bin']) mkdirSync(path.join(clone, folder));
  copyFileSync(SCRIPT, at('scripts/bootstrap.mjs'));
  writeFileSync(at('package-lock.json'), JSON.stringify({ packages: PACKAGES }));
  writeFileSync(at('tools/npm.js'), FAKE_NPM);
  writeFileSync(at('bin/bwrap'), '');
  chmodSync(at('bin/bwrap'), 0o755);
});

afterEach(() => rmSync(clone, { recursive: true, force: true }));

describe('the packages', () => {
  it('are installed from the lockfile on a fresh clone, development ones too, and it says so', async () => {
    const { code, said } = await bootstrap();

    expect(code).toBe(0);
    expect(said).toContain('installing the locked packages');
    expect(calls()).toEqual(['ci --include=dev --include=optional --no-audit --no-fund --prefer-offline']);
  });

  it('are left alone, without a word, when they are what the lockfile says', async () => {
    await bootstrap();
    const second = await bootstrap();

    expect(second).toEqual({ code: 0, said: '' });
    expect(calls()).toHaveLength(1);
  });

  it('are left alone when somebody installed them with npm itself', async () => {
    await bootstrap();
    rmSync(at('node_modules/.holdfast-stamp'));
    await bootstrap();

    expect(calls()).toHaveLength(1);
  });

  it('are installed again when the lockfile asks for another version', async () => {
    await bootstrap();
    const changed = { ...PACKAGES, 'node_modules/one': { version: '1.0.1' } };
    writeFileSync(at('package-lock.json'), JSON.stringify({ packages: changed }));
    await bootstrap();

    expect(calls()).toHaveLength(2);
  });

  it('are installed again after an installation that was cut short', async () => {
    mkdirSync(at('node_modules/one'), { recursive: true });
    await bootstrap();

    expect(calls()).toHaveLength(1);
  });

  it('are installed once when two runs start together', async () => {
    const both = await Promise.all([bootstrap(), bootstrap()]);

    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    expect(calls()).toHaveLength(1);
    expect(existsSync(at('.cache/bootstrap.lock'))).toBe(false);
  });

  it('are installed although a run that was killed left its lock behind', async () => {
    mkdirSync(at('.cache'));
    writeFileSync(at('.cache/bootstrap.lock'), '1\n');
    utimesSync(at('.cache/bootstrap.lock'), new Date(0), new Date(0));
    const { code } = await bootstrap();

    expect(code).toBe(0);
    expect(calls()).toHaveLength(1);
  });

  it('that cannot be installed end the run with the reason and what to do', async () => {
    writeFileSync(at('tools/npm.js'), `console.error('npm error network is down'); process.exit(7);`);
    const { code, said } = await bootstrap();

    expect(code).toBe(1);
    expect(said).toContain('npm error network is down');
    expect(said).toContain('holdfast: npm ci failed');
    expect(existsSync(at('.cache/bootstrap.lock'))).toBe(false);
  });
});

describe.runIf(process.platform === 'linux')('bubblewrap', () => {
  beforeEach(() => rmSync(at('bin/bwrap')));

  it('is installed through apt-get for root; anybody else is told the line to type', async () => {
    tool(
      'apt-get',
      `echo "$1" >> ${at('apt')}; [ "$1" = update ] || { : > ${at('bin/bwrap')}; chmod +x ${at('bin/bwrap')}; }`,
    );
    const { code, said } = await bootstrap();

    expect(code).toBe(0);
    if (isRoot) expect(read('apt')).toBe('update\ninstall\n');
    else expect(said).toContain('type: sudo apt-get install bubblewrap');
    expect(existsSync(at('bin/bwrap'))).toBe(isRoot);
  });

  it('that apt-get cannot bring does not stop the run, which says what is missing', async () => {
    tool('apt-get', 'echo "E: Unable to locate package bubblewrap" >&2; exit 100');
    const { code, said } = await bootstrap();

    expect(code).toBe(0);
    expect(said.includes('Unable to locate package')).toBe(isRoot);
    expect(said).toContain('bubblewrap, which isolates what agents run, is missing');
  });

  it('is not looked for where isolation was given up, nor by what starts no hands', async () => {
    await bootstrap();

    expect((await bootstrap([], { HOLDFAST_ISOLATION: 'none' })).said).toBe('');
    expect((await bootstrap(['packages'])).said).toBe('');
  });
});

/** Called as npm calls it: npm names itself and its Node in the environment. */
function bootstrap(
  args: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number | null; said: string }> {
  const child = spawn(process.execPath, [at('scripts/bootstrap.mjs'), ...args], {
    env: {
      PATH: `${at('bin')}:/bin-of-nobody`,
      npm_execpath: at('tools/npm.js'),
      npm_node_execpath: process.execPath,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  const hear = (chunk: Buffer): void => void (said += chunk.toString());
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, said }));
  });
}

function tool(name: string, script: string): void {
  writeFileSync(at(`bin/${name}`), `#!/bin/sh\nPATH=/usr/bin:/bin\n${script}\n`, { mode: 0o755 });
}

function calls(): string[] {
  return read('npm-calls').trimEnd().split('\n');
}

function read(name: string): string {
  return readFileSync(at(name), 'utf8');
}

function at(name: string): string {
  return path.join(clone, name);
}

/** What `npm ci` leaves on the disk: the packages, the link to Node, and last its own record. */
const FAKE_NPM = `
const fs = require('node:fs');
fs.appendFileSync('npm-calls', process.argv.slice(2).join(' ') + '\\n');
const { packages } = JSON.parse(fs.readFileSync('package-lock.json', 'utf8'));
fs.rmSync('node_modules', { recursive: true, force: true });
for (const [name, entry] of Object.entries(packages)) {
  if (name === '') continue;
  fs.mkdirSync(name, { recursive: true });
  fs.writeFileSync(name + '/package.json', JSON.stringify(entry));
}
fs.mkdirSync('node_modules/.bin');
fs.symlinkSync(process.execPath, 'node_modules/.bin/node');
const { '': _, ...record } = packages;
fs.writeFileSync('node_modules/.package-lock.json', JSON.stringify({ packages: record }));
`;
