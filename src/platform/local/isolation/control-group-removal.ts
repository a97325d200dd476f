/**
 * Removing control groups, with what is in them: those of hands that have ended, and those of servers that are dead.
 *
 * CGROUP-3 What a dead server has left of groups is removed before its sessions go on, with what still runs in it.
 */
import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../../kernel/clock.ts';
import { controlGroupTrees, type Tree } from './control-group-folders.ts';

/** Behind the mark of a server: the group of its brains. */
export const BRAINS_SUFFIX = '-brains';
/** The same of the group that the server has for itself and all of that. */
export const SERVER_SUFFIX = '-all';

/** Ends of processes are a matter of milliseconds; what the kernel holds longer is left to the next start. */
const CLOSE_MS_MAX = 5_000;
const CLOSE_LOOK_MS = 10;
/** Groups looked at for those of a dead server: a machine with thousands of containers has that many. */
const FOLDERS_MAX = 50_000;

/**
 * CGROUP-3. Removes the groups of servers whose mark begins with `prefix` and is not that of a process that lives, and ends what is in
 * them. Answers what was removed.
 */
export async function removeDeadGroups(
  prefix: string,
  clock: Clock,
  trees: readonly Tree[] = controlGroupTrees(),
): Promise<readonly string[]> {
  const dead: string[] = [];
  for (const { top } of trees) {
    let left = FOLDERS_MAX;
    for (let level: readonly string[] = [top]; level.length > 0 && left > 0; ) {
      left -= level.length;
      const inner = level.flatMap((folder) => foldersIn(folder).map((name) => ({ folder, name })));
      const ours = inner.filter(({ name }) => name.startsWith(prefix));
      dead.push(
        ...ours
          .filter(({ name }) => !existsSync(`/proc/${Number.parseInt(name.slice(prefix.length), 10)}`))
          .map(({ folder, name }) => join(folder, name)),
      );
      level = inner
        .filter(({ name }) => !name.startsWith(prefix))
        .map(({ folder, name }) => join(folder, name));
    }
  }
  await removeGroups(dead.flatMap(withInner), clock);
  return dead;
}

/** Inner ones first. Ends what is in them; gives up after CLOSE_MS_MAX. */
export async function removeGroups(folders: readonly string[], clock: Clock): Promise<void> {
  const giveUpAt = clock.monotonicNow() + CLOSE_MS_MAX;
  for (let left = folders; ; await clock.sleep(CLOSE_LOOK_MS)) {
    left = left.filter((folder) => !removed(folder));
    if (left.length === 0 || clock.monotonicNow() > giveUpAt) return;
    for (const folder of left) endProcessesIn(folder);
  }
}

function endProcessesIn(folder: string): void {
  try {
    for (const pid of readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').map(Number))
      if (pid > 1) process.kill(pid, 'SIGKILL');
  } catch {
    // the group is gone, or the process
  }
}

/** False while something is in it. */
export function removed(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch {
    return !existsSync(folder);
  }
}

/** The groups below it and itself, inner ones first. */
export function withInner(folder: string): readonly string[] {
  return [...foldersIn(folder).flatMap((name) => withInner(join(folder, name))), folder];
}

function foldersIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    return []; // it is gone
  }
}
