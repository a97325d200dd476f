/** Whether processes can be enclosed on this machine, found out by doing it once, and what to type where they cannot. */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { Fault } from '../../kernel/fault.ts';

/** Brain and hands are not started: this machine cannot enclose them. */
export class IsolationImpossible extends Fault {
  readonly code = 'ISOLATION_IMPOSSIBLE';
}

const PROBE_MS_MAX = 10_000;
const ESCAPE_HATCH = 'or set HOLDFAST_ISOLATION=none where something else contains this server';

/** Throws IsolationImpossible, with the sentence that mends it. */
export async function probeIsolation(asRoot: boolean): Promise<void> {
  const user = asRoot ? [] : ['--unshare-user', '--disable-userns'];
  const args = [...user, '--unshare-pid', '--unshare-net', '--unshare-ipc', '--ro-bind', '/', '/', '--proc', '/proc', 'true'];
  const { code, stderr } = await run('bwrap', args);
  if (code === 0) return;
  throw new IsolationImpossible(`${await reason(code, stderr)}, ${ESCAPE_HATCH}.`);
}

async function reason(code: number | 'ENOENT', stderr: string): Promise<string> {
  if (code === 'ENOENT') return 'bubblewrap is not installed: type "sudo apt-get install bubblewrap" (or the like)';
  const setting = async (path: string): Promise<string> => (await readFile(path, 'utf8').catch(() => '')).trim();
  if ((await setting('/proc/sys/kernel/apparmor_restrict_unprivileged_userns')) === '1') {
    return 'AppArmor keeps bubblewrap from making namespaces: type "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"';
  }
  if ((await setting('/proc/sys/kernel/unprivileged_userns_clone')) === '0') {
    return 'user namespaces are switched off: type "sudo sysctl kernel.unprivileged_userns_clone=1"';
  }
  return `bubblewrap cannot make namespaces here (${stderr.trim().split('\n').at(-1) ?? 'no reason given'}): run it on a machine or in a container that may`;
}

function run(command: string, args: readonly string[]): Promise<{ code: number | 'ENOENT'; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], { stdio: ['ignore', 'ignore', 'pipe'], timeout: PROBE_MS_MAX });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') resolve({ code: 'ENOENT', stderr });
      else reject(error);
    });
    child.once('close', (code) => resolve({ code: code ?? 1, stderr }));
  });
}
