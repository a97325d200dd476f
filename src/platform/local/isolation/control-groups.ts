/**
 * A control group of the kernel (cgroups(7)) for the hands of each session, in one that is for the hands of all; and one for all brains.
 *
 * CGROUP-1 All that the hands of a session hold and use is charged to the session, from their first process on: also memory that belongs to
 *    no process (shared, of System V, of memfd, in tmpfs, in sockets and pipes), which the limits of a process do not count.
 * CGROUP-2 The hands of all sessions together stay under a part of the memory that this server may use: when theirs runs out, the kernel
 *    ends one of them, and the control plane is not asked.
 * CGROUP-4 Where the server has a group for itself and what it launches (a service's, a container's, or server-group.ts), it has most of the CPU
 *    when all want it, brains come next and hands last, however many processes those start: what a session does leaves the turns of others
 *    theirs. The sessions share what hands have alike. Weights alone do not do: behind a crowd that forks and ends, a process of ten times
 *    the weight still waits for seconds (EEVDF of Linux 6.18); a group that is idle is left at once for any that is not.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import {
  BRAINS_CPU_WEIGHT,
  HANDS_CPU_WEIGHT,
  HANDS_CPU_WEIGHT_AMONG_OTHERS,
  HANDS_MEMORY_SHARE,
  SESSION_CPU_WEIGHT,
  SESSION_MEMORY_BYTES_MAX,
  SESSION_MEMORY_SHARE,
  SESSION_TCP_BYTES_MAX,
} from '../../../hands/limit.ts';
import type { Clock } from '../../../kernel/clock.ts';
import {
  type Controller,
  CONTROLLERS,
  controlGroupTrees,
  isOfTheMachine,
  SERVER_LEAF,
  type Tree,
  SHARES_PER_WEIGHT,
} from './control-group-folders.ts';
import { BRAINS_SUFFIX, removed, removeGroups } from './control-group-removal.ts';

export interface GroupLimits {
  /** Processes and threads, those of the set-up included. */
  readonly pidsMax: number;
  readonly memoryBytesMax?: number | undefined;
}

/** The group of one session, or the one of all brains. */
export interface ControlGroup {
  /** A process that writes 0 to each of them is in the group, and so is all that it starts. */
  readonly entrances: readonly string[];
  readonly folders: readonly string[];
  /** Once everything in it has ended; what has not is ended. */
  close(): Promise<void>;
}

export class ControlGroups {
  readonly #trees: readonly Tree[];
  readonly #mark: string;
  readonly #clock: Clock;
  #count = 0;
  #brains = 0;

  /** `mark` is launchMark's: by it the next server finds what is left. */
  constructor(trees: readonly Tree[], mark: string, clock: Clock) {
    this.#trees = trees;
    this.#mark = mark;
    this.#clock = clock;
  }

  get controllers(): readonly Controller[] {
    return this.#trees.flatMap(({ controllers }) => controllers);
  }

  /** Whether memory is charged to the session (CGROUP-1). */
  get memoryIsCharged(): boolean {
    return this.controllers.includes('memory');
  }

  /** Throws what the file system says when the group cannot be made, in all trees: then it is in none. */
  open({ pidsMax, memoryBytesMax = sessionMemoryBytesMax() }: GroupLimits): ControlGroup {
    this.#count += 1;
    const name = `hands-${this.#count}`;
    const folders: string[] = [];
    try {
      for (const tree of this.#trees) {
        const parent = this.#parent(tree);
        mkdirSync(parent, { recursive: true });
        limit(tree, parent, { ...cpuOfHands(tree), memoryBytesMax: handsMemoryBytesMax() }); // CGROUP-2
        const folder = join(parent, name);
        if (tree.version === 2) passOn(parent, tree.controllers);
        mkdirSync(folder);
        folders.push(folder);
        limit(tree, folder, { weight: SESSION_CPU_WEIGHT, memoryBytesMax, pidsMax });
      }
    } catch (error) {
      for (const folder of folders) removed(folder); // nothing has been in them
      this.#removeParents();
      throw error;
    }
    const entrances = folders.map((folder) => join(folder, 'cgroup.procs'));
    return { entrances, folders, close: () => this.#close(folders) };
  }

  /** CGROUP-4: one group for all brains, in none where others have a share of the CPU; to be closed for each. Throws what the file system says. */
  openBrains(): ControlGroup {
    const folders = this.#trees.flatMap((tree) => {
      if (!tree.controllers.includes('cpu') || isOfTheMachine(tree)) return [];
      const folder = join(tree.own, `${this.#mark}${BRAINS_SUFFIX}`);
      mkdirSync(folder, { recursive: true });
      limit(tree, folder, { weight: BRAINS_CPU_WEIGHT });
      return [folder];
    });
    this.#brains += 1;
    const entrances = folders.map((folder) => join(folder, 'cgroup.procs'));
    return { entrances, folders, close: () => Promise.resolve(this.#closeBrains(folders)) };
  }

  #closeBrains(folders: readonly string[]): void {
    this.#brains -= 1;
    if (this.#brains > 0) return; // one may be on its way in
    for (const folder of folders) removed(folder); // one that the kernel has not let go of yet keeps it, until the next
  }

  async #close(folders: readonly string[]): Promise<void> {
    await removeGroups(folders, this.#clock);
    this.#removeParents();
  }

  /** They stay while sessions have groups in them. */
  #removeParents(): void {
    for (const tree of this.#trees) removed(this.#parent(tree));
  }

  #parent(tree: Tree): string {
    return join(tree.own, this.#mark);
  }
}

/** `missing`: why some controller is not there, for people. */
export type Found =
  | { readonly kind: 'found'; readonly groups: ControlGroups; readonly missing: string | undefined }
  | { readonly kind: 'none'; readonly missing: string };

/** The control groups that this process may make, found out by making one; some controllers, where it is not all of them. */
export async function findControlGroups(
  mark: string,
  clock: Clock,
  trees: readonly Tree[] = controlGroupTrees(),
): Promise<Found> {
  const reasons: string[] = [];
  const usable: Tree[] = [];
  const attempt = (controllers: readonly Controller[], work: () => void): boolean => {
    try {
      work();
      return true;
    } catch (error) {
      reasons.push(`${controllers.join(', ')}: ${error instanceof Error ? error.message : String(error)}`);
      return false;
    }
  };
  for (const tree of trees) {
    const controllers =
      tree.version === 1
        ? tree.controllers
        : tree.controllers.filter((it) => attempt([it], () => makeRoom({ ...tree, controllers: [it] })));
    const some: Tree = { ...tree, controllers };
    let trial: ControlGroup | undefined;
    if (controllers.length === 0) continue;
    const isUsable = attempt(controllers, () => {
      const groups = new ControlGroups([some], mark, clock);
      trial = groups.open({ pidsMax: 1 });
      void groups.openBrains().close();
    });
    await trial?.close();
    if (isUsable) usable.push(some);
  }
  const groups = new ControlGroups(usable, mark, clock);
  const absent = CONTROLLERS.filter((it) => !trees.some(({ controllers }) => controllers.includes(it)));
  if (absent.length > 0)
    reasons.push(`${absent.join(', ')}: not in any control group that this server is in`);
  const missing = reasons.length === 0 ? undefined : reasons.join('; ');
  return missing !== undefined && usable.length === 0
    ? { kind: 'none', missing }
    : { kind: 'found', groups, missing };
}

function sessionMemoryBytesMax(): number {
  return Math.min(SESSION_MEMORY_BYTES_MAX, Math.floor(memoryBytes() * SESSION_MEMORY_SHARE));
}

function handsMemoryBytesMax(): number {
  return Math.floor(memoryBytes() * HANDS_MEMORY_SHARE);
}

/** What this server may use: of the machine, or of the container that it is in. */
function memoryBytes(): number {
  const constrained = process.constrainedMemory(); // 0, or more than there is, where nothing constrains it
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

/** CGROUP-4 */
function cpuOfHands(tree: Tree): Pick<Limits, 'weight' | 'isIdle'> {
  return isOfTheMachine(tree)
    ? { weight: HANDS_CPU_WEIGHT_AMONG_OTHERS }
    : { weight: HANDS_CPU_WEIGHT, isIdle: true };
}

interface Limits {
  readonly weight: number;
  /** It runs when nothing beside it wants to, where the kernel knows that; then it has no weight. */
  readonly isIdle?: boolean | undefined;
  readonly memoryBytesMax?: number | undefined;
  readonly pidsMax?: number | undefined;
}

function limit(tree: Tree, folder: string, { weight, isIdle, memoryBytesMax, pidsMax }: Limits): void {
  const set = (name: string, value: number): void => writeFileSync(join(folder, name), String(value));
  const setIfThere = (name: string, value: number): void => {
    if (existsSync(join(folder, name))) set(name, value); // without swap, or in a kernel without that part
  };
  for (const controller of tree.controllers) {
    if (controller === 'pids' && pidsMax !== undefined) set('pids.max', pidsMax);
    const mayBeIdle = existsSync(join(folder, 'cpu.idle')); // since Linux 5.15
    if (controller === 'cpu' && isIdle === true && mayBeIdle) set('cpu.idle', 1);
    else if (controller === 'cpu' && tree.version === 2) set('cpu.weight', weight);
    else if (controller === 'cpu') set('cpu.shares', Math.round(weight * SHARES_PER_WEIGHT));
    if (controller !== 'memory' || memoryBytesMax === undefined) continue;
    if (tree.version === 2) {
      set('memory.max', memoryBytesMax);
      setIfThere('memory.swap.max', 0);
      continue;
    }
    setIfThere('memory.use_hierarchy', 1);
    set('memory.limit_in_bytes', memoryBytesMax);
    setIfThere('memory.memsw.limit_in_bytes', memoryBytesMax);
    setIfThere('memory.kmem.tcp.limit_in_bytes', SESSION_TCP_BYTES_MAX);
  }
}

function passOn(group: string, controllers: readonly Controller[]): void {
  const asked = controllers.map((controller) => `+${controller}`).join(' ');
  writeFileSync(join(group, 'cgroup.subtree_control'), asked);
}

/** Version 2: only a group without processes of its own has groups with limits in it, so this server and what started it move into a leaf. */
function makeRoom({ own, controllers }: Tree): void {
  try {
    return passOn(own, controllers);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EBUSY')) throw error;
  }
  const inside = readFileSync(join(own, 'cgroup.procs'), 'utf8').trim().split('\n').map(Number);
  const ours = new Set(ancestry(process.pid));
  if (!inside.every((pid) => ours.has(pid)))
    throw new Error('other programs run in the control group of this server: give it one of its own');
  const leaf = join(own, SERVER_LEAF);
  mkdirSync(leaf, { recursive: true });
  for (const pid of inside) writeFileSync(join(leaf, 'cgroup.procs'), String(pid));
  passOn(own, controllers);
}

/** A process and those above it. */
function ancestry(pid: number): readonly number[] {
  if (pid < 1) return [];
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return [pid, ...ancestry(Number(/^PPid:\s+(\d+)/m.exec(status)?.[1] ?? 0))];
}
