/**
 * A server that has no descriptor left for another process: it lives, says so, and launches again once it has some. Run in a process of its
 * own, under a limit, for each number of descriptors that are left: spawn may fail at any of its pipes.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { withinHardLimit } from '../../../src/platform/local/isolation/hard-limits.ts';

const SOURCE = join(import.meta.dirname, '../../../src');
const DESCRIPTORS = 128;
/** Few enough that no launch can have all that it needs: hands have three pipes, isolated ones eight. */
const LEFT = { none: [0, 1, 2, 3, 4, 5], bubblewrap: [0, 1, 2, 4, 6, 8, 10, 12, 14] } as const;
const PROGRAM = `
import { closeSync, openSync } from 'node:fs';
import { createServer } from 'node:http';
import { chooseIsolation } from '${SOURCE}/platform/local/isolation/isolation.ts';
import { LocalLauncher } from '${SOURCE}/platform/local/launcher/launcher.ts';
import { WorkspaceStore } from '${SOURCE}/platform/host/workspace/workspace-store.ts';
import { launchMark } from '${SOURCE}/platform/local/isolation/orphans.ts';
import { newId } from '${SOURCE}/kernel/id.ts';
import { silentLogger } from '${SOURCE}/kernel/logger.ts';
const [wanted, folder, left] = process.argv.slice(1);
const unitSocket = folder + '/unit.sock';
const door = createServer((_request, response) => response.end()).listen(unitSocket);
const isolation = await chooseIsolation(wanted, launchMark('test'));
const launcher = new LocalLauncher({ isolation, workspaces: new WorkspaceStore(folder), unitSocket, logger: silentLogger });
const session = newId('session');
const launches = { brain: () => launcher.launchBrain(), hands: () => launcher.launchHands(session) };
for (const launch of Object.values(launches)) await (await launch()).stop(); // what is loaded at the first launch is loaded
const held = [];
const fill = () => { try { for (;;) held.push(openSync('/dev/null')); } catch { return; } };
for (const count of left.split(',').map(Number)) {
  for (const [what, launch] of Object.entries(launches)) {
    fill();
    for (let n = 0; n < count; n += 1) closeSync(held.pop());
    const said = await launch().then(
      async (unit) => { await unit.stop(); return 'launched'; },
      (error) => error.code + ' ' + error.isShortage,
    );
    console.log([what, count, said].join(' '));
  }
}
for (const fd of held) closeSync(fd);
for (const [what, launch] of Object.entries(launches)) {
  await (await launch()).stop();
  console.log(what + ' again');
}
door.close();
`;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-shortage-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('units have the limits that they are to have, or what the server itself has', () => {
  const limits =
    'Limit  Soft Limit  Hard Limit  Units\nMax file size   unlimited   unlimited   bytes\nMax open files  256   1024   files\n';

  expect(withinHardLimit('--nofile=4096', limits)).toBe('--nofile=1024');
  for (const option of ['--nofile=512', '--fsize=100', '--nproc=5', '--core=0'])
    expect(withinHardLimit(option, limits)).toBe(option);
});

it.each(['none', 'bubblewrap'] as const)(
  'a launch without descriptors is told as one, and the next one with some works (%s)',
  async (isolation) => {
    const left = LEFT[isolation];
    const args = ['--input-type=module-typescript', '-e', PROGRAM, isolation, folder, left.join(',')];
    const program = spawn('prlimit', [`--nofile=${DESCRIPTORS}`, '--', process.execPath, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const said: string[] = [];
    for await (const line of createInterface({ input: program.stdout })) said.push(line);

    const failed = left.flatMap((count) =>
      ['brain', 'hands'].map((what) => `${what} ${count} LAUNCH_FAILED true`),
    );
    expect(said).toEqual([...failed, 'brain again', 'hands again']);
  },
);
