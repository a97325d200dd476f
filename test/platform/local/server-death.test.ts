/** Units die with the control plane, also when that is killed: no unit outlives it, isolated or not. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { descendants, isAlive, kill } from '../../support/processes.ts';

const SOURCE = join(import.meta.dirname, '../../../src');
/** Launches hands with a running command, says so, and waits to be killed. */
const PROGRAM = `
import { chooseIsolation } from '${SOURCE}/platform/local/isolation/isolation.ts';
import { LocalLauncher } from '${SOURCE}/platform/local/launcher/launcher.ts';
import { WorkspaceStore } from '${SOURCE}/platform/host/workspace/workspace-store.ts';
import { newId } from '${SOURCE}/kernel/id.ts';
import { silentLogger } from '${SOURCE}/kernel/logger.ts';
const [wanted, folder] = process.argv.slice(1);
const isolation = await chooseIsolation(wanted);
const launcher = new LocalLauncher({ isolation, workspaces: new WorkspaceStore(folder), unitSocket: folder + '/none', logger: silentLogger });
const hands = await launcher.launchHands(newId('session'));
void hands.call({ callId: 'long', tool: 'bash', input: { command: 'sleep 1000 & setsid sleep 1000 & sleep 1000' }, timeoutMs: 60000 });
await hands.call({ callId: 'short', tool: 'bash', input: { command: 'true' }, timeoutMs: 60000 });
console.log('ready');
setInterval(() => undefined, 1000);
`;

it.each(['bubblewrap', 'none'])('hands and what they run die with it (%s)', async (wanted) => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-death-'));
  const server = spawn(process.execPath, ['--input-type=module-typescript', '-e', PROGRAM, wanted, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(createInterface({ input: server.stdout }), 'line');
  const family = await eventually('hands and commands run', () => {
    const found = descendants(server.pid ?? 0);
    return found.length >= 4 && found;
  });
  kill(server.pid);

  await eventually('all of them have ended', () => family.every((pid) => !isAlive(pid)));
  expect(family.length).toBeGreaterThanOrEqual(4);
  await rm(folder, { recursive: true, force: true });
});
