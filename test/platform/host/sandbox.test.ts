/** The host's Sandbox in this process, in the open: NOTHING contains what runs here, so it runs harmless commands only. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { CommandEnd } from '../../../src/hands/sandbox.ts';
import { HostSandbox } from '../../../src/platform/host/sandbox.ts';
import { eventually } from '../../support/eventually.ts';
import { isAlive } from '../../support/processes.ts';

const NEVER = new AbortController().signal;
/** Says something, then again every 10 ms until it is killed; the command that started it ends after the first. */
const CHATTERBOX =
  '(echo $BASHPID > pid; echo x; : > said; while :; do echo x; sleep 0.01; done) & until test -e said; do :; done';

let folder: string;
let sandbox: HostSandbox;
let heard: string;
let onHeard: () => void;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-sandbox-'));
  heard = '';
  onHeard = () => undefined;
  const [root, pipeFolder] = [join(folder, 'files'), join(folder, 'pipes')];
  for (const path of [root, pipeFolder]) mkdirSync(path);
  sandbox = new HostSandbox({
    root,
    sizeMax: { bytes: 64 * 1024 * 1024, entries: 1_000 },
    env: { PATH: process.env['PATH'] ?? '' },
    pipeFolder,
  });
});
afterEach(async () => {
  await sandbox.close();
  rmSync(folder, { recursive: true, force: true });
});

const run = (command: string, signal: AbortSignal = NEVER): Promise<CommandEnd> =>
  sandbox.run(
    {
      argv: ['bash', '-c', command],
      cwd: sandbox.root,
      callId: 'call',
      onOutput: (chunk) => {
        heard += chunk.toString();
        onHeard();
      },
    },
    signal,
  );
const chatterbox = (): Promise<number> =>
  eventually('the daemon has said who it is', () => {
    const pid = Number(readFileSync(join(sandbox.root, 'pid'), 'utf8'));
    return pid > 0 && pid;
  });

it('ends a command although what it left running never stops writing', async () => {
  expect(await run(CHATTERBOX)).toMatchObject({ kind: 'exited', code: 0 });
  expect(heard).toMatch(/^x\n/);
  expect(isAlive(await chatterbox())).toBe(true);
});

it('ends what a command left running when the call is stopped while its last output is taken', async () => {
  const stop = new AbortController();
  const shell = join(sandbox.root, 'shell');
  onHeard = () => {
    const pid = existsSync(shell) ? Number(readFileSync(shell, 'utf8')) : 0;
    if (pid > 0 && !isAlive(pid)) stop.abort(); // the command has ended, and its daemon still talks
  };

  expect((await run('yes & echo $! > pid; echo $$ > shell', stop.signal)).kind).toBe('aborted');
  const pid = await chatterbox();
  await eventually('it has ended', () => !isAlive(pid));
});

it('asks a command to end, hears its last words, and only kills what does not end', async () => {
  const stop = new AbortController();
  const deaf = '(trap "" TERM; echo $BASHPID > deaf; while :; do sleep 0.05; done) &';
  const tidy =
    'trap "sleep 0.2; rm work.lock; echo tidied up; exit 1" TERM; touch work.lock; while :; do sleep 0.05; done';
  const ended = run(`${deaf} ${tidy}`, stop.signal);
  const pid = await eventually('both run', () => {
    const found = Number(readFileSync(join(sandbox.root, 'deaf'), 'utf8'));
    return existsSync(join(sandbox.root, 'work.lock')) && found > 0 && found;
  });
  stop.abort();

  expect((await ended).kind).toBe('aborted');
  expect(heard).toMatch(/tidied up\n$/);
  expect(existsSync(join(sandbox.root, 'work.lock'))).toBe(false);
  await eventually('it was killed', () => !isAlive(pid));
});

it('asks what was stopped to end too, and lets a handler start what it needs', async () => {
  const stop = new AbortController();
  const ended = run('trap "sleep 0.1; touch tidied; exit" TERM; echo > begun; kill -STOP $$', stop.signal);
  await eventually('it runs', () => existsSync(join(sandbox.root, 'begun')));
  stop.abort();

  expect((await ended).kind).toBe('aborted');
  expect(existsSync(join(sandbox.root, 'tidied'))).toBe(true);
});

it('counts what commands left running, and asks it to end when it closes', async () => {
  expect(sandbox.background()).toBe(0);
  await run(
    '(trap "touch tidied; exit" TERM; echo $BASHPID > pid; while :; do sleep 0.05; done) > /dev/null 2>&1 &',
  );
  const pid = await chatterbox();
  expect(sandbox.background()).toBeGreaterThan(0);
  await sandbox.close();

  await eventually('it has ended', () => !isAlive(pid));
  expect(existsSync(join(sandbox.root, 'tidied'))).toBe(true);
  expect(sandbox.background()).toBe(0);
});

it('says that a command is too long for the system, and keeps no descriptor of it', async () => {
  const open = (): number => readdirSync('/proc/self/fd').length;
  await run('true');
  const before = open();
  for (let n = 0; n < 5; n += 1) {
    expect(await run(`: ${'x'.repeat(200_000)}`)).toMatchObject({
      kind: 'notStarted',
      reason: expect.stringContaining('longer than the system takes'),
    });
  }

  await eventually('all are closed', () => open() <= before);
  expect((await run('echo on')).kind).toBe('exited');
  expect(heard).toBe('on\n');
});

it('says why a program was not started', async () => {
  const command = { argv: ['no-such-program'], cwd: sandbox.root, callId: 'call', onOutput: () => undefined };

  expect(await sandbox.run(command, NEVER)).toMatchObject({
    kind: 'notStarted',
    reason: expect.stringContaining('ENOENT'),
  });
});
