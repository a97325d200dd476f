/**
 * mongod as mongodb-memory-server brings it: looked for in its caches, else downloaded. It is asked in a process of its
 * own, since its download cannot be stopped, and a refusal is remembered, so that not every run waits for it again.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { holding } from './folder-lock.ts';

/** Long enough for some hundred megabytes on a slow line at home; CI has no time to lose. */
const WAIT_MS = 300_000;
const WAIT_MS_IN_CI = 60_000;
/** So long a refusal is believed. */
const REMEMBERED_MS = 6 * 60 * 60 * 1_000;
const SIGN_OF_LIFE_MS = 2_000;
const REASON_CHARACTERS_MAX = 200;

export interface DownloadOptions {
  readonly cache: string;
  readonly inCi: boolean;
  readonly say: (line: string) => void;
  /** Asks for the program; a test gives another. Default: mongodb-memory-server. */
  readonly ask?: readonly [command: string, ...args: string[]] | undefined;
}

/** The program, or a sentence why it cannot be had. */
export function downloadedMongod(
  options: DownloadOptions,
): Promise<{ readonly program: string } | { readonly refusal: string }> {
  const refused = join(options.cache, 'mongod-refused.txt');
  return holding(join(options.cache, 'mongod.lock'), async () => {
    const before = rememberedRefusal(refused);
    if (before !== undefined) return { refusal: `${before} (asked not long ago; ${refused} remembers it)` };
    const answer = await asked(options);
    if ('refusal' in answer) {
      mkdirSync(dirname(refused), { recursive: true });
      writeFileSync(refused, `${Date.now()}\n${answer.refusal}`);
    } else rmSync(refused, { force: true });
    return answer;
  });
}

function rememberedRefusal(file: string): string | undefined {
  try {
    const [at = '', reason] = readFileSync(file, 'utf8').split('\n');
    return Date.now() - Number(at) < REMEMBERED_MS ? reason : undefined;
  } catch {
    return undefined; // nothing was refused yet
  }
}

async function asked({
  cache,
  inCi,
  say,
  ask,
}: DownloadOptions): Promise<{ readonly program: string } | { readonly refusal: string }> {
  const started = Date.now();
  const waitMs = inCi ? WAIT_MS_IN_CI : WAIT_MS;
  const beat = setInterval(
    () => say(`asking mongodb-memory-server for mongod … ${Math.round((Date.now() - started) / 1000)} s`),
    SIGN_OF_LIFE_MS,
  );
  const [command, ...args] = ask ?? [process.execPath, '--input-type=module', '--eval', questionIn(cache)];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: waitMs });
  let [said, complaint] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => {
    child.once('close', resolve);
    child.once('error', () => resolve(1));
  });
  clearInterval(beat);
  const program = /^program (.+)$/m.exec(said)?.[1];
  if (code === 0 && program !== undefined) return { program };
  const reason = complaint.replaceAll(/\s+/g, ' ').trim().slice(0, REASON_CHARACTERS_MAX);
  return {
    refusal: `no mongod was downloaded: ${reason === '' ? `no answer in ${waitMs / 1000} s` : reason}`,
  };
}

/** A folder that MONGOMS_DOWNLOAD_DIR names, and the caches of other projects, count too: the package looks there itself. */
function questionIn(cache: string): string {
  const module = import.meta.resolve('mongodb-memory-server-core');
  return `import { MongoBinary } from ${JSON.stringify(module)};
    const folder = process.env.MONGOMS_DOWNLOAD_DIR ?? ${JSON.stringify(join(cache, 'mongod'))};
    try { console.log('program ' + await MongoBinary.getPath({ downloadDir: folder })); }
    catch (error) { console.error(error.message); process.exit(1); }`;
}
