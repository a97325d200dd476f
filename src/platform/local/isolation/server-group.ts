/**
 * A control group for this server with all that it launches, where the one that it is in is that of the whole machine: version 1, without systemd
 * or a container around it. What the server, brains and hands have of the CPU against each other (CGROUP-4) would else be against every
 * program of the machine: hands would wait for what has nothing to do with them. All of it together comes before them.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SERVER_CPU_WEIGHT } from '../../../hands/limit.ts';
import type { Clock } from '../../../kernel/clock.ts';
import {
  controlGroupTrees,
  isOfTheMachine,
  SERVER_LEAF,
  SHARES_PER_WEIGHT,
  type Tree,
} from './control-group-folders.ts';
import { removed, removeGroups, SERVER_SUFFIX, withInner } from './control-group-removal.ts';

/**
 * Moves this process there, before it launches anything. Answers how to leave it, when all that it launched has ended; undefined where there is
 * no need for a group, or it may make none. What is not left in order the next server removes (CGROUP-3).
 */
export function enterServerGroup(
  mark: string,
  clock: Clock,
  trees: readonly Tree[] = controlGroupTrees(),
): (() => Promise<void>) | undefined {
  const tree = trees.find(({ controllers }) => controllers.includes('cpu'));
  if (tree?.version !== 1 || !isOfTheMachine(tree)) return undefined;
  const group = join(tree.own, `${mark}${SERVER_SUFFIX}`);
  const leaf = join(group, SERVER_LEAF);
  try {
    mkdirSync(leaf, { recursive: true });
    writeFileSync(join(group, 'cpu.shares'), String(SERVER_CPU_WEIGHT * SHARES_PER_WEIGHT));
    move(leaf);
  } catch {
    for (const folder of [leaf, group]) removed(folder);
    return undefined;
  }
  return () => {
    move(tree.own);
    return removeGroups(withInner(group), clock);
  };
}

function move(folder: string): void {
  writeFileSync(join(folder, 'cgroup.procs'), String(process.pid));
}
