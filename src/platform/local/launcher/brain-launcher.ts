/**
 * Starts a brain: no network, no environment, one unix socket, its source and packages read-only, and inside that Node's
 * own permission model, which leaves it reading those and nothing more: no writes, no child processes, no workers.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chown } from 'node:fs/promises';
import { join } from 'node:path';
import { BrainProcess } from './brain-process.ts';
import type { Isolation } from '../isolation/isolation.ts';
import { APP, type Jail, NODE, startInJail } from '../isolation/jail.ts';
import { BRAIN_OOM_SCORE, setOomScore } from '../isolation/oom-score.ts';
import { MARK_VARIABLE } from '../isolation/orphans.ts';
import { APP_FOLDER, entryOf, NODE_BINARY, openedGroup, SOURCE } from './launch.ts';
import { BRAIN_UID } from '../isolation/user-slots.ts';

export interface BrainOptions {
  /** The unit endpoint; must be listening. Its folder must be the control plane's alone. */
  readonly unitSocket: string;
  /** The program: processes/brain.ts, unless a test has a smaller one. It must lie in the source or beside it. */
  readonly entry?: { readonly source: string; readonly file: string } | undefined;
  onComplaint(line: string): void;
}

const SOCKET = '/run/holdfast/unit.sock';
/** Node and its threads; a brain starts no processes. */
const PROCESSES_MAX = 64;
const OPEN_FILES_MAX = 1_024;
const TMP_BYTES_MAX = 4_096;
/** Memory that it writes to: a long conversation takes some hundred MB; what takes more is ended, and its machine lives. */
const DATA_BYTES_MAX = 2 * 1024 * 1024 * 1024;

/** Rejects with LaunchFailed. */
export async function launchBrain(isolation: Isolation, options: BrainOptions): Promise<BrainProcess> {
  const { unitSocket, onComplaint, entry = { source: SOURCE, file: entryOf('brain') } } = options;
  if (isolation.kind === 'none') {
    const args = [...permissions(entry.source, APP_FOLDER), entry.file, unitSocket];
    const child = spawn(NODE_BINARY, args, {
      cwd: '/',
      env: { [MARK_VARIABLE]: isolation.mark },
      stdio: 'pipe',
      detached: true,
    });
    setOomScore(child.pid, BRAIN_OOM_SCORE);
    return BrainProcess.of(child, { onComplaint });
  }
  // to connect to a socket is to write to it; others cannot reach its folder
  if (isolation.asRoot) await chown(unitSocket, BRAIN_UID, BRAIN_UID);
  const group = openedGroup('brains', () => isolation.groups?.openBrains()); // CGROUP-4
  const close = (): unknown => group?.close();
  let child: ChildProcess;
  try {
    child = startInJail(isolation, jailOf(unitSocket, entry, group?.entrances ?? []));
  } catch (error) {
    void close(); // nothing was started
    throw error;
  }
  const brain = BrainProcess.of(child, { onComplaint });
  void brain.then((it) => it.ended).then(close, close); // also when it never was ready
  return brain;
}

function jailOf(
  unitSocket: string,
  entry: { source: string; file: string },
  entrances: readonly string[],
): Jail {
  const source = join(APP, 'src');
  return {
    binds: [
      { source: NODE_BINARY, target: NODE },
      { source: entry.source, target: source },
      { source: join(APP_FOLDER, 'node_modules'), target: join(APP, 'node_modules') },
      { source: unitSocket, target: SOCKET },
    ],
    env: {},
    cwd: '/',
    limits: [
      `--nproc=${PROCESSES_MAX}`,
      `--nofile=${OPEN_FILES_MAX}`,
      `--data=${DATA_BYTES_MAX}`,
      '--fsize=0',
      '--core=0',
    ],
    tmpBytesMax: TMP_BYTES_MAX,
    oomScore: BRAIN_OOM_SCORE,
    entrances,
    memoryIsCharged: false,
    argv: [NODE, ...permissions(source, APP), entry.file.replace(entry.source, source), SOCKET],
    uid: BRAIN_UID,
  };
}

function permissions(source: string, app: string): readonly string[] {
  const readable = [`${source}/`, join(app, 'package.json'), `${join(app, 'node_modules')}/`];
  return ['--permission', ...readable.map((path) => `--allow-fs-read=${path}`)];
}
