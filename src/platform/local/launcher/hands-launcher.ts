/** Starts the hands of a session, isolated or not, with its workspace as it was left. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import {
  FILE_BYTES_MAX,
  OPEN_FILES_MAX,
  PROCESS_DATA_BYTES_MAX,
  PROCESSES_MAX,
  SET_UP_PROCESSES_MAX,
  TMP_BYTES_MAX,
  WORKSPACE_BYTES_MAX,
} from '../../../hands/limit.ts';
import { keptResultFiles } from '../../host/kept-results.ts';
import type { ControlGroup, ControlGroups } from '../isolation/control-groups.ts';
import { HandsProcess } from './hands-process.ts';
import type { Isolation } from '../isolation/isolation.ts';
import { APP, type Bubblewrap, JAIL_PATH, type Jail, NODE, startInJail } from '../isolation/jail.ts';
import { HANDS_OOM_SCORE } from '../isolation/oom-score.ts';
import { MARK_VARIABLE } from '../isolation/orphans.ts';
import { entryOf, NODE_BINARY, openedGroup, SEARCH_PATH, SOURCE } from './launch.ts';
import type { FilesAsOf } from '../../../hands/workspace-archive.ts';
import type { Workspace } from '../../host/workspace/workspace-store.ts';

/** What a deployment, or a test, may set lower or higher; docs/isolation.md. */
export interface HandsLimits {
  readonly workspaceBytesMax: number;
  readonly fileBytesMax: number;
  readonly processesMax: number;
  /** Of the whole session; SESSION_MEMORY_BYTES_MAX, or less on a small machine, when left out. */
  readonly memoryBytesMax?: number | undefined;
}

export const HANDS_LIMITS: HandsLimits = {
  workspaceBytesMax: WORKSPACE_BYTES_MAX,
  fileBytesMax: FILE_BYTES_MAX,
  processesMax: PROCESSES_MAX,
};

const WORKSPACE = '/workspace';
/** All of the source that the hands reach, and nothing else of it. */
const PARTS = ['kernel', 'hands', 'platform/host'];

/** Runs when nothing else wants to (sched(7), SCHED_IDLE): where no control group says how much of the CPU hands have. */
const IDLE_CLASS = ['chrt', '--idle', '0'];

export interface HandsOptions {
  readonly workspace: Workspace;
  /** Owns the workspace; it matters where the control plane is root. */
  readonly uid: number;
  readonly limits: HandsLimits;
  /** Whether the results folder has every call that was ever started (hands/wire.ts HANDS-1). */
  readonly resultsAreWhole: boolean;
  readonly filesAsOf: FilesAsOf;
  /** For commands that run in the open; the isolated ones see the programs of the system. */
  readonly searchPath?: string | undefined;
  /** What could not be kept of calls. */
  complain(message: string, error: unknown): void;
}

/** Rejects with LaunchFailed. */
export function launchHands(isolation: Isolation, options: HandsOptions): Promise<HandsProcess> {
  if (isolation.kind === 'bubblewrap') return launchInside(isolation, options);
  const { workspace, limits, searchPath = SEARCH_PATH } = options;
  const { files } = workspace;
  const args = [entryOf('hands'), files, String(limits.workspaceBytesMax), 'among'];
  const env = { PATH: searchPath, [MARK_VARIABLE]: isolation.mark };
  return handsOf(spawn(NODE_BINARY, args, { cwd: files, env, stdio: 'pipe', detached: true }), options);
}

async function launchInside(isolation: Bubblewrap, options: HandsOptions): Promise<HandsProcess> {
  const { groups } = isolation;
  const { processesMax, memoryBytesMax } = options.limits;
  const pidsMax = processesMax + SET_UP_PROCESSES_MAX;
  const group = openedGroup('hands', () => groups?.open({ pidsMax, memoryBytesMax }));
  const close = (): unknown => group?.close();
  let child: ChildProcess;
  try {
    child = startInJail(isolation, jailOf(options, groups, group));
  } catch (error) {
    void close(); // nothing was started
    throw error;
  }
  const hands = handsOf(child, options);
  void hands.then((it) => it.ended).then(close, close); // also when they never were ready
  return hands;
}

function handsOf(
  process: ChildProcess,
  { workspace, resultsAreWhole, filesAsOf, complain }: HandsOptions,
): Promise<HandsProcess> {
  const kept = keptResultFiles(workspace.results);
  return HandsProcess.of(process, { filesAsOf, kept, keptIsWhole: resultsAreWhole, complain });
}

function jailOf(
  { workspace: { files }, uid, limits }: HandsOptions,
  groups: ControlGroups | undefined,
  group: ControlGroup | undefined,
): Jail {
  const hasCpuWeight = groups?.controllers.includes('cpu') === true;
  const inside = join(APP, 'src');
  const entry = entryOf('hands', inside);
  return {
    binds: [
      { source: NODE_BINARY, target: NODE },
      ...PARTS.map((part) => ({ source: join(SOURCE, part), target: join(inside, part) })),
      { source: entryOf('hands'), target: entry },
      { source: files, target: WORKSPACE, writable: true },
    ],
    env: { PATH: JAIL_PATH, HOME: WORKSPACE, LANG: 'C.UTF-8' },
    cwd: WORKSPACE,
    limits: [
      `--nproc=${limits.processesMax}`,
      `--nofile=${OPEN_FILES_MAX}`,
      `--fsize=${limits.fileBytesMax}`,
      `--data=${PROCESS_DATA_BYTES_MAX}`,
      ...['--core=0', '--nice=0', '--rtprio=0'], // nobody raises what they were given, whatever this server may
    ],
    tmpBytesMax: TMP_BYTES_MAX,
    oomScore: HANDS_OOM_SCORE,
    entrances: group?.entrances ?? [],
    memoryIsCharged: groups?.memoryIsCharged === true,
    argv: [
      ...(hasCpuWeight ? [] : IDLE_CLASS),
      ...[NODE, entry, WORKSPACE, String(limits.workspaceBytesMax), 'alone'],
    ],
    uid,
  };
}
