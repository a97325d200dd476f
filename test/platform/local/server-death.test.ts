/**
 * Units die with the control plane, also when that is killed: no unit outlives it, isolated or not, at whatever moment. What is left
 * all the same, the next server on the data folder ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../../src/kernel/clock.ts';
import { type Fields, silentLogger } from '../../../src/kernel/logger.ts';
import { endOrphans, launchMark, orphansOf } from '../../../src/platform/local/isolation/orphans.ts';
import { eventually } from '../../support/eventually.ts';
import { descendants, isAlive, kill, Launched } from '../../support/processes.ts';
import { randomOf } from '../../support/random.ts';

const SOURCE = join(import.meta.dirname, '../../../src');
const OWNER = 'c0ffee';
/** Launches a few hands, says so, and waits to be killed; the first has a running command when it says `ready`. */
const PROGRAM = `
import { chooseIsolation } from '${SOURCE}/platform/local/isolation/isolation.ts';
import { LocalLauncher } from '${SOURCE}/platform/local/launcher/launcher.ts';
import { WorkspaceStore } from '${SOURCE}/platform/host/workspace/workspace-store.ts';
import { launchMark } from '${SOURCE}/platform/local/isolation/orphans.ts';
import { newId } from '${SOURCE}/kernel/id.ts';
import { silentLogger } from '${SOURCE}/kernel/logger.ts';
const [wanted, folder, count, program] = process.argv.slice(1);
const mark = launchMark('${OWNER}');
const chosen = await chooseIsolation(wanted, mark);
const isolation = program === undefined ? chosen : { ...chosen, program };
const launcher = new LocalLauncher({ isolation, workspaces: new WorkspaceStore(folder), unitSocket: folder + '/none', logger: silentLogger });
const launched = Array.from({ length: Number(count) }, () => launcher.launchHands(newId('session')));
for (const it of launched) it.catch(() => undefined);
console.log('launching');
const hands = await launched[0];
void hands.call({ callId: 'long', tool: 'bash', input: { command: 'sleep 1000 & setsid sleep 1000 & sleep 1000' }, timeoutMs: 60000 });
await hands.call({ callId: 'short', tool: 'bash', input: { command: 'true' }, timeoutMs: 60000 });
console.log('ready');
setInterval(() => undefined, 1000);
`;
/** Stands for bubblewrap between the start of its child and the moment when that is tied to it: the child waits for good. */
const UNTIED = `#!/bin/sh
mkfifo "$FIFO"
( read line <> "$FIFO" ) &
wait
`;
/** Kills that fall before, in and after the set-up of four sandboxes on two cores. */
const KILLS = 12;
const SET_UP_MS = 60;

let folder: string;
const started: ChildProcess[] = [];
const left: number[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-death-'));
});
afterEach(async () => {
  for (const { pid, exitCode, signalCode } of started.splice(0))
    if (exitCode === null && signalCode === null) kill(pid);
  for (const { pid } of orphansOf(OWNER)) kill(pid);
  for (const pid of left.splice(0).flatMap((root) => [...descendants(root), root])) kill(pid);
  await rm(folder, { recursive: true, force: true });
});

/** Resolves when it says `word`. */
async function serverThatSays(word: string, ...args: readonly string[]): Promise<number> {
  const server = spawn(process.execPath, ['--input-type=module-typescript', '-e', PROGRAM, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  started.push(server);
  for await (const line of createInterface({ input: server.stdout })) if (line === word) break;
  return server.pid ?? 0;
}

/** A set-up that never ends: the path of a program in place of bwrap. */
function untied(): string {
  const path = join(folder, 'bwrap');
  writeFileSync(path, UNTIED.replaceAll('$FIFO', join(folder, 'fifo')));
  chmodSync(folder, 0o777);
  chmodSync(path, 0o755);
  return path;
}

const isSetUp = (pid: number, parents: number) => descendants(pid).length >= parents;

it.each(['bubblewrap', 'none'])('hands and what they run die with it (%s)', async (wanted) => {
  const server = await serverThatSays('ready', wanted, folder, '1');
  await eventually('hands and commands run', () => isSetUp(server, 4));
  const launched = new Launched(server);
  kill(server);

  await launched.ends();
  expect(launched.size).toBeGreaterThanOrEqual(4);
});

it.runIf(process.getuid?.() === 0)(
  'what was being set up dies with it, also what bubblewrap had not tied yet: proves ORPHAN-1',
  async () => {
    const server = await serverThatSays('launching', 'bubblewrap', folder, '1', untied());
    await eventually('the set-up waits', () => existsSync(join(folder, 'fifo')) && isSetUp(server, 2));
    const launched = new Launched(server);
    kill(server);

    await launched.ends();
    expect(launched.size).toBeGreaterThanOrEqual(2);
  },
);

it('nothing is left of real set-ups that were going on, whenever it dies', async () => {
  const chance = randomOf(Date.now());
  for (let n = 0; n < KILLS; n += 1) {
    const server = await serverThatSays('launching', 'bubblewrap', folder, '4');
    await new Promise((resolve) => setTimeout(resolve, chance.below(SET_UP_MS))); // any moment is right
    const launched = new Launched(server);
    kill(server);
    await launched.ends().catch((cause: unknown) => {
      throw new Error(`seed ${chance.seed}, kill ${n}`, { cause });
    });
  }
});

/** A process that waits, named by arguments; its parent is gone, as that of what a dead server has left is. */
async function orphan(mark: string, { leader = mark, uid }: { leader?: string; uid?: number } = {}) {
  // the outer shell leads the session, the inner one is what is told of
  const inner = `sh -c 'echo $$; sleep 1000; :' ${mark}`;
  const outer = leader === mark ? `exec ${inner}` : `${inner}; :`;
  const script = 'setsid sh -c "$0" "$1" &';
  const parent = spawn('sh', ['-c', script, outer, leader], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  const ended = once(parent, 'exit');
  const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
  await ended;
  left.push(Number(line));
  return Number(line);
}

/** The number of a server that is no more. */
async function deadServer(): Promise<number> {
  const server = spawn('true', { stdio: 'ignore' });
  await once(server, 'exit');
  return server.pid ?? 0;
}

it('ends what a dead server has left, with what descends from it, and says so: proves ORPHAN-2', async () => {
  const pid = await orphan(`holdfast-${OWNER}-${await deadServer()}`);
  const child = await eventually('it has a child', () => descendants(pid)[0]);
  const said: [string, Fields | undefined][] = [];
  const warn = (message: string, fields?: Fields) => said.push([message, fields]);

  await endOrphans(OWNER, { clock: systemClock, logger: { ...silentLogger, warn } });

  await eventually('the first process has seen their end', () => !isAlive(pid) && !isAlive(child));
  expect(said).toEqual([
    ['ended processes that a dead server had left', { owner: OWNER, pids: [pid, child] }],
  ]);
});

it('ends nothing else: proves ORPHAN-2', async () => {
  const dead = await deadServer();
  const mark = `holdfast-${OWNER}-${dead}`;
  const strangers = [
    await orphan(`holdfast-another-${dead}`),
    await orphan(`${mark}x`),
    await orphan(mark, { leader: 'a-person-at-a-terminal' }),
    ...(process.getuid?.() === 0 ? [await orphan(mark, { uid: 65_534 })] : []),
  ];
  const ours = spawn('sleep', ['1000'], { detached: true, argv0: launchMark(OWNER), stdio: 'ignore' });
  started.push(ours);

  await endOrphans(OWNER, { clock: systemClock, logger: silentLogger });

  expect([...strangers, ours.pid].filter((pid) => !isAlive(pid))).toEqual([]);
});
