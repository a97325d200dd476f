/**
 * Finds and ends every process that a command started, also those that left its group or session: a process belongs to a
 * command when its environment carries the command's mark, when it is in a group or session of one that does, or when
 * its parent does. Linux only (/proc).
 *
 * What is found is stopped first and killed when a look finds nothing new, so a fork bomb cannot outrun the killing.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Looks until everything found is stopped; a process limit makes a bomb run dry within a few. */
const LOOKS_MAX = 100;

/** Looks that find nothing new before it is over: a process in the middle of an exec shows no environment for a moment. */
const QUIET_LOOKS = 2;

/** How long the killed may take to die: on a busy machine a full process table takes seconds; longer only what the kernel holds. */
const DYING_MS_MAX = 5_000;
/** The dead count for the process limit until their parent has seen it; one that never looks must not hold up a call. */
const REAPING_MS_MAX = 500;
const DYING_LOOK_MS = 5;

/** The environment variable that marks what a command starts. */
export const MARK = 'HANDS_CALL';

/**
 * Kills the process group `leader` and everything marked with `mark`, or with a mark that begins with it when it ends with
 * a dot. Resolves when they are gone, within DYING_MS_MAX: a signal is only a wish until then, and they count for the
 * process limit. All signals are sent before this returns.
 */
export function killTree(mark: string, leader?: number): Promise<void> {
  const caught = new Set<number>(leader === undefined ? [] : [leader]);
  const groups = new Set<number>(caught);
  if (leader !== undefined) signal(-leader, 'SIGSTOP');
  let quietLooks = 0;
  for (let look = 0; look < LOOKS_MAX && quietLooks < QUIET_LOOKS; look += 1) {
    const found = processes().filter((it) => !caught.has(it.pid) && belongs(it, mark, caught, groups));
    quietLooks = found.length === 0 ? quietLooks + 1 : 0;
    for (const { pid } of found) {
      caught.add(pid);
      signal(pid, 'SIGSTOP');
    }
  }
  for (const pid of caught) signal(pid, 'SIGKILL');
  if (leader !== undefined) signal(-leader, 'SIGKILL');
  return gone(caught);
}

async function gone(killed: ReadonlySet<number>): Promise<void> {
  let left = [...killed];
  let dead = 0;
  for (const startedAt = performance.now(); ; await sleep(DYING_LOOK_MS)) {
    const now = performance.now();
    const states = left
      .map((pid) => ({ pid, state: stateOf(pid) }))
      .filter(({ state }) => state !== undefined);
    left = states.map(({ pid }) => pid);
    const dying = states.some(({ state }) => state !== 'Z' && state !== 'X');
    if (left.length === 0 || now - startedAt > DYING_MS_MAX) return;
    if (dying) dead = 0;
    else if (dead === 0) dead = now;
    else if (now - dead > REAPING_MS_MAX) return;
  }
}

/** Undefined when there is no such process. */
function stateOf(pid: number): string | undefined {
  return fieldsOf(pid)[0];
}

/** Of /proc/<pid>/stat, what follows the name: state, parent, group, session; empty when there is no such process. */
function fieldsOf(pid: number): readonly string[] {
  const stat = read(`/proc/${pid}/stat`);
  // the name in parentheses may hold anything, also parentheses
  return stat === '' ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** Whether anything with this mark runs. */
export function isAnyMarked(mark: string): boolean {
  return processes().some((it) => belongs(it, mark, NONE, NONE));
}

const NONE: ReadonlySet<number> = new Set();

interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
}

function processes(): readonly ProcessEntry[] {
  const found: ProcessEntry[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid <= 1 || pid === process.pid) continue;
    const [state, parent, group, session] = fieldsOf(pid);
    if (state === undefined || state === 'Z' || state === 'X') continue;
    found.push({ pid, parent: Number(parent), group: Number(group), session: Number(session) });
  }
  return found;
}

function belongs(
  it: ProcessEntry,
  mark: string,
  caught: ReadonlySet<number>,
  groups: ReadonlySet<number>,
): boolean {
  if (caught.has(it.parent) || groups.has(it.group) || groups.has(it.session)) return true;
  const wanted = `\0${MARK}=${mark}${mark.endsWith('.') ? '' : '\0'}`;
  return `\0${read(`/proc/${it.pid}/environ`)}`.includes(wanted);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // it has ended, or is not ours
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  if (Math.abs(pid) <= 1) return; // 0, 1 and -1 would mean ourselves, the first process, and everyone
  try {
    process.kill(pid, name);
  } catch {
    // it has ended
  }
}
