/** Starts the hands of a session, isolated or not, with its workspace as it was left. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import {
  FILE_BYTES_MAX,
  OPEN_FILES_MAX,
  PROCESS_DATA_BYTES_MAX,
  PROCESSES_MAX,
  TMP_BYTES_MAX,
  WORKSPACE_BYTES_MAX,
} from '../../../hands/limit.ts';
import { keptResultFiles } from '../../host/kept-results.ts';
import { HandsProcess } from './hands-process.ts';
import type { Isolation } from '../isolation/isolation.ts';
import { APP, JAIL_PATH, type Jail, NODE, startInJail } from '../isolation/jail.ts';
import { MARK_VARIABLE } from '../isolation/orphans.ts';
import { entryOf, NODE_BINARY, SEARCH_PATH, SOURCE } from './launch.ts';
import type { FilesAsOf } from '../../../hands/workspace-archive.ts';
import type { Workspace } from '../../host/workspace/workspace-store.ts';

/** What a deployment, or a test, may set lower or higher; docs/isolation.md. */
export interface HandsLimits {
  readonly workspaceBytesMax: number;
  readonly fileBytesMax: number;
  readonly processesMax: number;
}

export const HANDS_LIMITS: HandsLimits = {
  workspaceBytesMax: WORKSPACE_BYTES_MAX,
  fileBytesMax: FILE_BYTES_MAX,
  processesMax: PROCESSES_MAX,
};

const WORKSPACE = '/workspace';
/** All of the source that the hands reach, and nothing else of it. */
const PARTS = ['kernel', 'hands', 'platform/host'];

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
  const { workspace, limits, resultsAreWhole, filesAsOf, searchPath = SEARCH_PATH, complain } = options;
  const { files, results } = workspace;
  const kept = keptResultFiles(results);
  const of = (process: ChildProcess): Promise<HandsProcess> =>
    HandsProcess.of(process, { filesAsOf, kept, keptIsWhole: resultsAreWhole, complain });
  if (isolation.kind === 'bubblewrap') return of(startInJail(isolation, jailOf(options)));
  const args = [entryOf('hands'), files, String(limits.workspaceBytesMax), 'among'];
  const env = { PATH: searchPath, [MARK_VARIABLE]: isolation.mark };
  return of(spawn(NODE_BINARY, args, { cwd: files, env, stdio: 'pipe', detached: true }));
}

function jailOf({ workspace: { files }, uid, limits }: HandsOptions): Jail {
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
      '--core=0',
    ],
    tmpBytesMax: TMP_BYTES_MAX,
    argv: [NODE, entry, WORKSPACE, String(limits.workspaceBytesMax), 'alone'],
    uid,
  };
}
