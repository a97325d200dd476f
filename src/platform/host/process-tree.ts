/**
 * Finds and ends every process that a command started, also those that left its group or session: a process belongs to a
 * command when its environment carries the command's mark, when it is in a group or session of one that does, or when
 * its parent does. Linux only (/proc).
 *
 * What is to be killed is stopped first and killed when a look finds nothing new, so a fork bomb cannot outrun the killing.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Looks until everything found is stopped; a process limit makes a bomb run dry within a few. */
const LOOKS_MAX = 100;

/** Looks that find nothing new before it is over: a process in the middle of an exec shows no environment for a moment. */
const QUIET_LOOKS = 2;

/** The same before what was found is asked to end: a bomb hears it in part, and is killed. */
const ASKED_LOOKS_MAX = 5;

/** How long the killed may take to die: on a busy machine a full process table takes seconds; longer only what the kernel holds. */
const DYING_MS_MAX = 5_000;
/** The dead count for the process limit until their parent has seen it; one that never looks must not hold up a call. */
const REAPING_MS_MAX = 500;
const DYING_LOOK_MS = 5;
/** How often the asked are looked at: most have ended after some milliseconds. */
const ASKED_LOOK_MS = 10;
/** How often it is looked for what the asked have started meanwhile: that reads every process of the machine. */
const NEW_LOOK_MS = 100;

/** The environment variable that marks what a command starts. */
export const MARK = 'HANDS_CALL';

/** Which processes are meant. */
export interface Tree {
  /** Everything marked with it, or with a mark that begins with it when it ends with a dot; `undefined`: every process but this one and the first. */
  readonly mark: string | undefined;
  /** The process groups of these, which are leaders of their sessions. */
  readonly leaders?: readonly number[] | undefined;
}

/** Everything in it that was ever found: also what lost its mark and its parent since. */
interface Caught {
  readonly tree: Tree;
  /** When each started, so that another process with its number is not taken for it. */
  readonly pids: Map<number, string>;
  readonly groups: Set<number>;
}

/**
 * Asks the whole tree to end (SIGTERM, once each), and kills what is left after `graceMs`: what it starts to clean up after itself
 * is only killed then. Resolves as `killTree` does.
 */
export async function endTree(tree: Tree, graceMs: number): Promise<void> {
  const caught = caughtOf(tree);
  for (let look = 0; look < ASKED_LOOKS_MAX && (add(caught).length > 0 || look < QUIET_LOOKS); look += 1);
  for (const pid of caught.pids.keys()) {
    signal(pid, 'SIGTERM');
    signal(pid, 'SIGCONT'); // one that is stopped would not hear it
  }
  const startedAt = performance.now();
  let lookAt = startedAt + NEW_LOOK_MS;
  for (let now = startedAt; now - startedAt < graceMs; now = performance.now()) {
    const isAllGone = [...caught.pids].every(([pid, since]) => !isRunning(pid, since));
    if (isAllGone || now >= lookAt) {
      if (add(caught).length === 0 && isAllGone) break;
      lookAt = now + NEW_LOOK_MS;
    }
    await sleep(ASKED_LOOK_MS);
  }
  await killCaught(caught);
}

/**
 * Kills the whole tree. Resolves when it is gone, within DYING_MS_MAX: a signal is only a wish until then, and they count for the
 * process limit. All signals are sent before this returns.
 */
export function killTree(tree: Tree): Promise<void> {
  const leaders = tree.leaders ?? [];
  for (const leader of leaders) signal(-leader, 'SIGSTOP'); // at once, where a look meets one after the other
  const ended = killCaught(caughtOf(tree));
  for (const leader of leaders) signal(-leader, 'SIGKILL');
  return ended;
}

/** How many processes are in it. */
export function countTree(tree: Tree): number {
  return add(caughtOf(tree)).length;
}

function caughtOf(tree: Tree): Caught {
  return { tree, pids: new Map(), groups: new Set(tree.leaders) };
}

/** What was not in it yet. */
function add({ tree, pids, groups }: Caught): readonly number[] {
  const found = processes().filter((it) => !pids.has(it.pid) && belongs(it, tree.mark, pids, groups));
  for (const { pid, startedAt } of found) pids.set(pid, startedAt);
  return found.map(({ pid }) => pid);
}

function killCaught(caught: Caught): Promise<void> {
  const { pids } = caught;
  for (const [pid, since] of pids) {
    if (isRunning(pid, since)) signal(pid, 'SIGSTOP');
    else pids.delete(pid); // its number may be another's by now
  }
  let quietLooks = 0;
  for (let look = 0; look < LOOKS_MAX && quietLooks < QUIET_LOOKS; look += 1) {
    const found = add(caught);
    quietLooks = found.length === 0 ? quietLooks + 1 : 0;
    for (const pid of found) signal(pid, 'SIGSTOP');
  }
  for (const pid of pids.keys()) signal(pid, 'SIGKILL');
  return gone(new Set(pids.keys()));
}

/** False for the dead that nobody has looked at yet, and for another process with the same number. */
function isRunning(pid: number, startedAt: string): boolean {
  const fields = fieldsOf(pid);
  return fields[STARTED_AT] === startedAt && isAlive(fields[0]);
}

function isAlive(state: string | undefined): boolean {
  return state !== undefined && state !== 'Z' && state !== 'X';
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
    const dying = states.some(({ state }) => isAlive(state));
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

/** Which of the fields says when it started: the 22nd of proc(5), whose third is our first. */
const STARTED_AT = 19;

/** Of /proc/<pid>/stat, what follows the name: state, parent, group, session; empty when there is no such process. */
function fieldsOf(pid: number): readonly string[] {
  const stat = read(`/proc/${pid}/stat`);
  // the name in parentheses may hold anything, also parentheses
  return stat === '' ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** In ticks of the kernel since it started. */
  readonly startedAt: string;
}

function processes(): readonly ProcessEntry[] {
  const found: ProcessEntry[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid <= 1 || pid === process.pid) continue;
    const fields = fieldsOf(pid);
    const [state, parent, group, session] = fields;
    if (!isAlive(state)) continue;
    const startedAt = fields[STARTED_AT] ?? '';
    found.push({ pid, parent: Number(parent), group: Number(group), session: Number(session), startedAt });
  }
  return found;
}

function belongs(
  it: ProcessEntry,
  mark: string | undefined,
  caught: ReadonlyMap<number, string>,
  groups: ReadonlySet<number>,
): boolean {
  if (mark === undefined) return true;
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
