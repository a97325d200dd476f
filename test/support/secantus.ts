/**
 * SecantusDB, a server of the MongoDB protocol in Python, for machines where no mongod can be had: a program that tests start,
 * nothing that the product depends on. It is installed once, into a venv in the folder that git ignores.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { holding } from './folder-lock.ts';

export const SECANTUS_VERSION = '0.7.0b3';
/** The Pythons that it has wheels for. */
const PYTHONS = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10'];
const PYTHON_FITS = `import ensurepip, sys, venv; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))`;
const NO_PYTHON = 'SecantusDB needs Python 3.10 to 3.13 with venv';
/** It takes six seconds on a quick line; a registry that does not answer must not hold up a test run. */
const INSTALL_MS_MAX = 180_000;
const SIGN_OF_LIFE_MS = 2_000;
const LINES_SHOWN = 5;

/** The program, or a sentence why it cannot be had. */
export async function secantus(
  cache: string,
  say: (line: string) => void,
): Promise<{ readonly program: string } | { readonly refusal: string }> {
  const folder = join(cache, `secantus-${SECANTUS_VERSION}`);
  const program = join(folder, 'bin', 'secantusd-py');
  // Written last: an installation that was cut short has none.
  const complete = join(folder, 'complete');
  if (existsSync(complete)) return { program };
  const python = PYTHONS.find((name) => spawnSync(name, ['-c', PYTHON_FITS]).status === 0);
  if (python === undefined) return { refusal: NO_PYTHON };
  return holding(`${folder}.lock`, async () => {
    if (existsSync(complete)) return { program }; // by the one who held the lock before us
    rmSync(folder, { recursive: true, force: true });
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary', ':all:'];
    const steps: readonly (readonly [string, ...string[]])[] = [
      [python, '-m', 'venv', folder],
      [join(folder, 'bin', 'python'), ...pip, `SecantusDB==${SECANTUS_VERSION}`],
    ];
    for (const [command, ...args] of steps) {
      const failure = await failureOf(command, args, say);
      if (failure !== undefined) return { refusal: `SecantusDB could not be installed: ${failure}` };
    }
    writeFileSync(complete, '');
    return { program };
  });
}

/** Runs a command with a sign of life; answers its last lines when it failed. */
async function failureOf(
  command: string,
  args: readonly string[],
  say: (line: string) => void,
): Promise<string | undefined> {
  const started = Date.now();
  const beat = setInterval(
    () => say(`installing SecantusDB ${SECANTUS_VERSION} … ${Math.round((Date.now() - started) / 1000)} s`),
    SIGN_OF_LIFE_MS,
  );
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: INSTALL_MS_MAX });
  let output = '';
  const keep = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const code = await new Promise<number | null>((resolve) => {
    child.once('close', resolve);
    child.once('error', (error) => {
      output += error.message;
      resolve(1);
    });
  });
  clearInterval(beat);
  if (code === 0) return undefined;
  const last = output.trim().split('\n').slice(-LINES_SHOWN).join(' ');
  return last === '' ? `gave up after ${INSTALL_MS_MAX / 1000} s` : last;
}
