/** Brains and hands as child processes of this machine, enclosed by bubblewrap. Port: supervisor/launcher.ts. */
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HandsLost } from '../../hands/faults.ts';
import type { FromHands, ToHands, ToolCall, ToolResult } from '../../hands/wire.ts';
import type { SessionId } from '../../kernel/id.ts';
import type { Logger } from '../../kernel/logger.ts';
import type { Assign } from '../../sessions/unit-wire.ts';
import type { Brain, Ended, Hands, Launcher } from '../../supervisor/launcher.ts';
import { type Child, startChild } from './child.ts';
import { type Bounds, enclose, type Enclosure, unenclosed, type Wrapped } from './enclosure.ts';
import { probeIsolation } from './isolation.ts';
import { seccompFilter } from './seccomp.ts';
import { openWorkspace, userIdOf } from './workspaces.ts';

const GIB = 1024 ** 3;
/** A brain runs no commands: node with its threads, and room to spare. */
const BRAIN_BOUNDS: Bounds = { processesMax: 64, filesMax: 256, fileBytesMax: 1024 ** 2, temporaryBytesMax: 1024 ** 2 };
/** Builds and test runs fit; a fork bomb or a disk filler stops here. */
const HANDS_BOUNDS: Bounds = { processesMax: 256, filesMax: 1_024, fileBytesMax: GIB, temporaryBytesMax: GIB / 4 };
/** A unit has what it needs in the journal or on disk, so a short time to end is enough. */
const STOP_GRACE_MS = 1_000;
/** A unit that has not said ready by then is not going to. */
const READY_MS_MAX = 30_000;
/** Brains touch no files, so all of them can be one user. */
const BRAIN_USER_ID = 209_999;
const PATHS = '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin';
const SOURCE = fileURLToPath(new URL('../../', import.meta.url));
const APP = dirname(SOURCE.replace(/\/$/, ''));

export interface LocalLauncherOptions {
  readonly isolation: 'bubblewrap' | 'none';
  /** Absolute path of the unit door's socket. */
  readonly unitSocket: string;
  readonly dataFolder: string;
  readonly logger: Logger;
}

/** Throws IsolationImpossible. `close` removes the launcher's own files; what it launched is the caller's to stop. */
export async function openLocalLauncher(options: LocalLauncherOptions): Promise<Launcher & { close(): Promise<void> }> {
  const asRoot = process.getuid?.() === 0;
  if (options.isolation === 'bubblewrap') await probeIsolation(asRoot);
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-units-'));
  return new LocalLauncher(options, folder, await writeFiles(folder), await realpath(process.execPath), asRoot);
}

interface Files {
  readonly passwd: string;
  readonly group: string;
  readonly seccomp: string | undefined;
}

class LocalLauncher implements Launcher {
  readonly #options: LocalLauncherOptions;
  readonly #folder: string;
  readonly #files: Files;
  readonly #node: string;
  readonly #asRoot: boolean;

  constructor(options: LocalLauncherOptions, folder: string, files: Files, node: string, asRoot: boolean) {
    this.#options = options;
    this.#folder = folder;
    this.#files = files;
    this.#node = node;
    this.#asRoot = asRoot;
  }

  async launchBrain(): Promise<Brain> {
    const { unitSocket, logger, isolation } = this.#options;
    const walls = isolation === 'bubblewrap';
    const app = walls ? '/app' : APP;
    const child = await this.#start({
      hostname: 'brain',
      binds: [
        { from: SOURCE, to: '/app/src' },
        { from: join(APP, 'node_modules'), to: '/app/node_modules' },
        { from: join(APP, 'package.json'), to: '/app/package.json' },
        { from: this.#node, to: '/app/node' },
        { from: unitSocket, to: '/run/unit.sock' },
      ],
      env: { PATH: PATHS, HOME: '/tmp', NODE_ENV: 'production' },
      folder: '/app',
      userId: this.#asRoot ? BRAIN_USER_ID : undefined,
      bounds: BRAIN_BOUNDS,
      command: [
        walls ? '/app/node' : this.#node,
        '--permission',
        ...['src', 'node_modules', 'package.json'].map((path) => `--allow-fs-read=${app}/${path}`),
        `${app}/src/processes/brain.ts`,
        walls ? '/run/unit.sock' : unitSocket,
      ],
    }, (text) => logger.debug('brain says', { text: text.trim() }));
    await ready(child);
    return {
      pid: child.pid,
      ended: child.ended,
      assign: (token) => child.write(JSON.stringify({ kind: 'assign', token } satisfies Assign)),
      stop: () => child.stop(STOP_GRACE_MS),
      kill: () => child.kill(),
    };
  }

  async launchHands(sessionId: SessionId): Promise<Hands> {
    const { dataFolder, isolation } = this.#options;
    const walls = isolation === 'bubblewrap';
    const userId = this.#asRoot && walls ? userIdOf(sessionId) : undefined;
    const { workspace, results } = await openWorkspace(dataFolder, sessionId, userId);
    const child = await this.#start({
      hostname: 'hands',
      binds: [
        ...['kernel', 'hands', 'platform/host', 'processes/hands.ts'].map((path) => ({
          from: join(SOURCE, path),
          to: `/app/src/${path}`,
        })),
        { from: this.#node, to: '/app/node' },
        { from: workspace, to: '/workspace', writable: true },
        { from: results, to: '/results', writable: true },
      ],
      env: { PATH: PATHS, HOME: '/workspace', LANG: 'C.UTF-8', TERM: 'dumb' },
      folder: walls ? '/workspace' : workspace,
      userId,
      bounds: HANDS_BOUNDS,
      command: [
        walls ? '/app/node' : this.#node,
        `${walls ? '/app/src' : SOURCE}/processes/hands.ts`,
        walls ? '/workspace' : workspace,
        walls ? '/results' : results,
      ],
    });
    await ready(child);
    return serve(child);
  }

  close(): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true });
  }

  #start(enclosure: Enclosure, onStderr?: (text: string) => void): Promise<Child> {
    const walls = this.#options.isolation === 'bubblewrap';
    const wrapped: Wrapped = walls ? enclose(enclosure, this.#files, this.#files.seccomp) : unenclosed(enclosure);
    const env = walls ? { PATH: PATHS } : enclosure.env;
    return startChild(wrapped, { env, folder: walls ? undefined : enclosure.folder === '/app' ? APP : enclosure.folder, onStderr });
  }
}

/** The account files and the filter that every enclosure binds. */
async function writeFiles(folder: string): Promise<Files> {
  const passwd = join(folder, 'passwd');
  const group = join(folder, 'group');
  await writeFile(passwd, 'root:x:0:0::/:/bin/sh\nagent:x:1000:1000::/workspace:/bin/bash\n', { mode: 0o644 });
  await writeFile(group, 'root:x:0:\nagent:x:1000:\n', { mode: 0o644 });
  const filter = seccompFilter(process.arch);
  if (filter === undefined) return { passwd, group, seccomp: undefined };
  const seccomp = join(folder, 'seccomp.bpf');
  await writeFile(seccomp, filter);
  return { passwd, group, seccomp };
}

/** Resolves at the unit's first line, which says that it is ready; rejects when it ends before. */
function ready(child: Child): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => child.kill(), READY_MS_MAX);
    child.onLine(() => {
      clearTimeout(late);
      resolve();
    });
    void child.ended.then((ended) => {
      clearTimeout(late);
      reject(new Error(`A unit ended before it was ready: ${describe(ended)}`));
    });
  });
}

/** The control plane's end of the line (hands/wire.ts). */
function serve(child: Child): Hands {
  const waiting = new Map<string, { resolve: (result: ToolResult) => void; reject: (fault: HandsLost) => void }[]>();
  const send = (message: ToHands): void => child.write(JSON.stringify(message));
  let lost: HandsLost | undefined;
  child.onLine((line) => {
    const message = JSON.parse(line) as FromHands; // our own program; a broken line ends it below
    if (message.kind !== 'result') return;
    for (const call of waiting.get(message.callId) ?? []) call.resolve(message.result);
    waiting.delete(message.callId);
  });
  void child.ended.then((ended) => {
    lost = new HandsLost(describe(ended));
    for (const calls of waiting.values()) for (const call of calls) call.reject(lost);
    waiting.clear();
  });
  return {
    pid: child.pid,
    ended: child.ended,
    call(call: ToolCall) {
      if (lost !== undefined) return Promise.reject(lost);
      return new Promise((resolve, reject) => {
        const known = waiting.get(call.callId);
        waiting.set(call.callId, [...(known ?? []), { resolve, reject }]);
        if (known === undefined) send({ kind: 'call', ...call });
      });
    },
    cancel: (callId) => send({ kind: 'cancel', callId }),
    stop: () => child.stop(STOP_GRACE_MS),
    kill: () => child.kill(),
  };
}

function describe({ code, signal, stderr }: Ended): string {
  const how = signal === null ? `exit code ${code ?? 'unknown'}` : `signal ${signal}`;
  const last = stderr.trim().split('\n').at(-1) ?? '';
  return last === '' ? how : `${how}: ${last}`;
}
