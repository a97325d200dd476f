/**
 * Processes that a dead server has left. Everything that a server launches carries its mark: isolated, as an argument of bubblewrap
 * (jail.ts); in the open, in its environment. The next server on the same data folder, which knows the dead one's name, ends them.
 *
 * ORPHAN-2 What a dead server has left is ended before its sessions go on, and nothing else ever is. Ended is what has the mark of that
 *    server and was launched (who leads its session has the mark too, or is gone: a person at a terminal who only names the mark has
 *    another leader), runs as this user or as one that only we give, and has not its server above it; and what descends from that.
 *    A number that another process has got meanwhile is not taken for it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { Clock } from '../../../kernel/clock.ts';
import type { Logger } from '../../../kernel/logger.ts';
import { removeDeadGroups } from './control-group-removal.ts';
import { isUserOfSandbox } from './user-slots.ts';

/** Where a process in the open has the mark. */
export const MARK_VARIABLE = 'HOLDFAST_LAUNCHED_BY';

/** What is killed is gone at once, unless the kernel holds it (a disk that does not answer): the server starts all the same. */
const END_MS_MAX = 5_000;
const LOOK_MS = 10;
/** Of the fields of proc(5) the 22nd, when those before the state are left out. */
const STARTED_AT = 19;
/** A look sees what was started before it; what is killed starts nothing more, so that the second finds nothing. */
const LOOKS_MAX = 20;

interface Ports {
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Orphan {
  readonly pid: number;
  /** In ticks of the kernel since it was started (proc(5)): with the number it is one process and no other. */
  readonly startedAt: string;
}

interface ProcessEntry extends Orphan {
  readonly parent: number;
  /** The process that leads its session, whether it is still there or not. */
  readonly session: number;
}

/** What this process launches as the server `owner` carries it. The number tells children of a living server. */
export function launchMark(owner: string): string {
  return `${prefixOf(owner)}${process.pid}`;
}

/** Ends what the server `owner` has left on this machine, and says so; nothing where it lives. Resolves when it is gone. */
export async function endOrphans(owner: string, { clock, logger }: Ports): Promise<void> {
  const ended = new Map<number, Orphan>();
  for (let look = 0; look < LOOKS_MAX; look += 1) {
    const found = orphansOf(owner).filter(({ pid, startedAt }) => ended.get(pid)?.startedAt !== startedAt);
    if (found.length === 0) break;
    for (const orphan of found) {
      ended.set(orphan.pid, orphan);
      kill(orphan);
    }
  }
  if (ended.size > 0) await ends(owner, ended, { clock, logger });
  const groups = await removeDeadGroups(prefixOf(owner), clock); // CGROUP-3
  if (groups.length > 0) logger.info('removed control groups that a dead server had left', { owner, groups });
}

/** Resolves when all of them are gone, or do not go. */
async function ends(
  owner: string,
  ended: ReadonlyMap<number, Orphan>,
  { clock, logger }: Ports,
): Promise<void> {
  const giveUpAt = clock.monotonicNow() + END_MS_MAX;
  const left = (): readonly Orphan[] => [...ended.values()].filter(isRunning);
  while (left().length > 0 && clock.monotonicNow() < giveUpAt) await clock.sleep(LOOK_MS);
  const pids = [...ended.keys()];
  logger.warn('ended processes that a dead server had left', { owner, pids });
  const stuck = left().map(({ pid }) => pid);
  if (stuck.length > 0) logger.error('processes of a dead server do not end', { owner, pids: stuck });
}

/** Everything that `owner` has left, parents before their children. */
export function orphansOf(owner: string): readonly Orphan[] {
  const all = new Map(processes().map((entry) => [entry.pid, entry]));
  const children = Map.groupBy(all.values(), ({ parent }) => parent);
  const found = new Map<number, Orphan>();
  for (const entry of all.values()) {
    if (!isLeft(entry, owner, all)) continue;
    for (let next: readonly ProcessEntry[] = [entry]; next.length > 0; ) {
      for (const it of next) found.set(it.pid, it);
      next = next.flatMap(({ pid }) => children.get(pid) ?? []).filter(({ pid }) => !found.has(pid));
    }
  }
  return [...found.values()];
}

function isLeft(entry: ProcessEntry, owner: string, all: ReadonlyMap<number, ProcessEntry>): boolean {
  const server = serverOf(entry.pid, owner);
  if (server === undefined || !isOurs(entry.pid)) return false; // ORPHAN-2
  if (all.has(entry.session) && serverOf(entry.session, owner) === undefined) return false;
  for (let at: ProcessEntry | undefined = entry; at !== undefined; at = all.get(at.parent))
    if (at.parent === server) return false;
  return true;
}

function prefixOf(owner: string): string {
  return `holdfast-${owner}-`;
}

/** The process that launched it, when it has the mark of `owner`. */
function serverOf(pid: number, owner: string): number | undefined {
  const prefix = prefixOf(owner);
  const words = [
    ...read(`/proc/${pid}/cmdline`).split('\0'),
    ...read(`/proc/${pid}/environ`)
      .split('\0')
      .map((entry) => entry.replace(`${MARK_VARIABLE}=`, '')),
  ];
  const mark = words.find((word) => word.startsWith(prefix));
  const server = Number(mark?.slice(prefix.length));
  return Number.isSafeInteger(server) ? server : undefined;
}

/** Whether it runs as this user or, where we are root, as a user that only our launcher gives. */
function isOurs(pid: number): boolean {
  const uid = Number(/^Uid:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1]);
  const own = process.getuid?.();
  return uid === own || (own === 0 && isUserOfSandbox(uid));
}

function kill(orphan: Orphan): void {
  if (!isRunning(orphan)) return;
  try {
    process.kill(orphan.pid, 'SIGKILL');
  } catch {
    // it has ended
  }
}

function isRunning({ pid, startedAt }: Orphan): boolean {
  return entryOf(pid)?.startedAt === startedAt;
}

function processes(): readonly ProcessEntry[] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name);
    const entry = Number.isInteger(pid) && pid > 1 && pid !== process.pid ? entryOf(pid) : undefined;
    return entry === undefined ? [] : [entry];
  });
}

/** Undefined when there is no such process, or it is dead and only its parent has not looked. */
function entryOf(pid: number): ProcessEntry | undefined {
  const stat = read(`/proc/${pid}/stat`);
  // the name in parentheses may hold anything, also parentheses
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, parent, , session] = fields;
  if (session === undefined || state === 'Z' || state === 'X') return undefined;
  return { pid, parent: Number(parent), session: Number(session), startedAt: fields[STARTED_AT] ?? '' };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // it has ended, or is not ours
  }
}
