/**
 * Where the control groups of this process are: the folders of cgroups(7), of version 1 (a tree per controller) and of version 2 (one
 * tree). Read from what the kernel says of this process, so that limits which something above has put on it go on holding.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

export type Controller = 'memory' | 'cpu' | 'pids';

export const CONTROLLERS: readonly Controller[] = ['memory', 'cpu', 'pids'];

export interface Tree {
  readonly version: 1 | 2;
  /** Where the tree is mounted. */
  readonly top: string;
  /** The group that this process is in. */
  readonly own: string;
  readonly controllers: readonly Controller[];
}

/**
 * The leaf that this server moves into where version 2 allows processes in leaves only, and where the group that it is in is that of the whole
 * machine (server-group.ts): what is made stands beside it.
 */
export const SERVER_LEAF = 'holdfast-server';

/** 1024 shares of version 1 are 100 of the weight of version 2: what everything has that nobody has said anything about. */
export const SHARES_PER_WEIGHT = 1024 / 100;

/** The trees with any of the controllers; version 2 last, so that a controller is looked for where it is in use. */
export function controlGroupTrees(
  mountinfo: string = readFileSync('/proc/self/mountinfo', 'utf8'),
  own: string = readFileSync('/proc/self/cgroup', 'utf8'),
): readonly Tree[] {
  const paths = new Map(own.trim().split('\n').flatMap(pathsOf));
  const trees = mountinfo
    .split('\n')
    .flatMap((line) => treeOf(line, paths))
    .toSorted((a, b) => a.version - b.version);
  const seen = new Set<Controller>();
  return trees.flatMap((tree) => {
    const controllers = tree.controllers.filter((controller) => !seen.has(controller));
    for (const controller of controllers) seen.add(controller);
    return controllers.length === 0 ? [] : [{ ...tree, controllers }];
  });
}

/** Whether this server is in the first group of the tree, with all programs of the machine: only it has that file, or lacks this (cgroups(7)). */
export function isOfTheMachine({ version, own }: Tree): boolean {
  return version === 1 ? existsSync(join(own, 'release_agent')) : !existsSync(join(own, 'cgroup.events'));
}

/** A line of /proc/self/cgroup: `4:memory:/path`, of version 2 `0::/path`. */
function pathsOf(line: string): readonly (readonly [string, string])[] {
  const [, names = '', ...path] = line.split(':');
  return names.split(',').map((name) => [name, path.join(':')] as const);
}

/** A line of mountinfo (proc(5)): its 4th and 5th field are the root of the mount and its place; behind ` - ` the kind and its options. */
function treeOf(line: string, paths: ReadonlyMap<string, string>): readonly Tree[] {
  const [before = '', after = ''] = line.split(' - ');
  const [, , , root = '', top = ''] = before.split(' ').map(unescaped);
  const [kind, , options = ''] = after.split(' ');
  if (kind !== 'cgroup' && kind !== 'cgroup2') return [];
  const named = new Set(options.split(','));
  const name = kind === 'cgroup2' ? '' : [...paths.keys()].find((it) => it !== '' && named.has(it));
  const path = name === undefined ? undefined : paths.get(name);
  if (path === undefined) return [];
  const below = relative(root, path); // a container sees its own part of the tree
  if (below.startsWith('..')) return [];
  const here = join(top, below);
  const group = here.endsWith(`/${SERVER_LEAF}`) ? dirname(here) : here;
  if (kind === 'cgroup') {
    const controllers = CONTROLLERS.filter((controller) => named.has(controller));
    return [{ version: 1, top, own: group, controllers }];
  }
  return [{ version: 2, top, own: group, controllers: controllersOf(group) }];
}

function controllersOf(group: string): readonly Controller[] {
  const path = join(group, 'cgroup.controllers');
  if (!existsSync(path)) return [];
  const names = new Set(readFileSync(path, 'utf8').trim().split(/\s+/));
  return CONTROLLERS.filter((controller) => names.has(controller));
}

/** Spaces and the like in paths of mountinfo are octal: `\040`. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)));
}
