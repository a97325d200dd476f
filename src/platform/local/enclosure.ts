/**
 * What a process of a unit may see and use, and the command line that makes it so: bubblewrap with every namespace of
 * its own, no network, a read-only system, a cleared environment, no capabilities, a seccomp filter, bounded resources.
 *
 * As root the processes inside run as a user id of their own, by real ids rather than a user namespace: the kernel
 * counts processes per real user, and does not hold root to that count at all. Otherwise a user namespace is used, and
 * everything inside is the user who started the server. docs/isolation.md says what is promised, per concern.
 */
import { openSync } from 'node:fs';

export interface Bind {
  readonly from: string;
  readonly to: string;
  readonly writable?: boolean | undefined;
}

export interface Enclosure {
  readonly hostname: string;
  readonly binds: readonly Bind[];
  readonly env: Readonly<Record<string, string>>;
  readonly folder: string;
  /** The user id inside; only root can give one. */
  readonly userId: number | undefined;
  readonly bounds: Bounds;
  readonly command: readonly string[];
}

export interface Bounds {
  readonly processesMax: number;
  readonly filesMax: number;
  readonly fileBytesMax: number;
  readonly temporaryBytesMax: number;
}

/** What a spawned command needs: its words, and files to be open in it from descriptor 3 on. */
export interface Wrapped {
  readonly command: string;
  readonly args: readonly string[];
  /** The caller closes these after the spawn. */
  readonly descriptors: readonly number[];
}

const SECCOMP_DESCRIPTOR = 3;
const RUN_BYTES_MAX = 1_048_576;

/** `seccompFile` holds the filter; undefined where this machine has no table for it. */
export function enclose(enclosure: Enclosure, accountFiles: { passwd: string; group: string }, seccompFile: string | undefined): Wrapped {
  const { binds, env, folder, bounds, hostname, userId, command } = enclosure;
  const bind = ({ from, to, writable }: Bind): string[] => [writable === true ? '--bind' : '--ro-bind', from, to];
  const args = [
    ...(userId === undefined ? ['--unshare-user', '--disable-userns', '--uid', '1000', '--gid', '1000'] : []),
    ...['--unshare-pid', '--unshare-net', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'],
    ...['--die-with-parent', '--new-session', '--hostname', hostname, '--clearenv'],
    ...Object.entries(env).flatMap(([name, value]) => ['--setenv', name, value]),
    ...SYSTEM,
    ...bind({ from: accountFiles.passwd, to: '/etc/passwd' }),
    ...bind({ from: accountFiles.group, to: '/etc/group' }),
    ...['--proc', '/proc', '--dev', '/dev'],
    ...['--perms', '1777', '--size', String(bounds.temporaryBytesMax), '--tmpfs', '/tmp'],
    ...['--perms', '0755', '--size', String(RUN_BYTES_MAX), '--tmpfs', '/run'],
    ...parentsOf(binds).flatMap((parent) => ['--perms', '0755', '--dir', parent]),
    ...binds.flatMap(bind),
    ...['--remount-ro', '/', '--chdir', folder, '--cap-drop', 'ALL'],
    ...(userId === undefined ? [] : ['--cap-add', 'CAP_SETUID', '--cap-add', 'CAP_SETGID']),
    ...(seccompFile === undefined ? [] : ['--seccomp', String(SECCOMP_DESCRIPTOR)]),
    '--',
    ...(userId === undefined ? [] : dropTo(userId)),
    ...bounded(bounds),
    ...command,
  ];
  return { command: 'bwrap', args, descriptors: seccompFile === undefined ? [] : [openSync(seccompFile, 'r')] };
}

/** The same limits without walls, for HOLDFAST_ISOLATION=none. */
export function unenclosed(enclosure: Enclosure): Wrapped {
  const [command = '', ...args] = enclosure.command;
  return { command, args, descriptors: [] };
}

const SYSTEM: readonly string[] = [
  ...['--ro-bind', '/usr', '/usr'],
  ...['--symlink', 'usr/bin', '/bin', '--symlink', 'usr/sbin', '/sbin'],
  ...['--symlink', 'usr/lib', '/lib', '--symlink', 'usr/lib64', '/lib64'],
  ...['--perms', '0755', '--dir', '/etc'],
  ...['/etc/alternatives', '/etc/ld.so.cache', '/etc/ssl', '/etc/localtime', '/etc/mime.types'].flatMap((path) => [
    '--ro-bind-try',
    path,
    path,
  ]),
];

/** The folders above the binds: bubblewrap would make them readable by its own user alone. */
function parentsOf(binds: readonly Bind[]): readonly string[] {
  const parents = new Set<string>();
  for (const { to } of binds) {
    const names = to.split('/').slice(1, -1);
    for (let depth = 1; depth <= names.length; depth += 1) parents.add(`/${names.slice(0, depth).join('/')}`);
  }
  return [...parents].filter((parent) => parent !== '/run').toSorted();
}

function dropTo(userId: number): string[] {
  const id = String(userId);
  return ['setpriv', '--reuid', id, '--regid', id, '--clear-groups', '--inh-caps=-all', '--no-new-privs', '--'];
}

function bounded({ processesMax, filesMax, fileBytesMax }: Bounds): string[] {
  return [
    'prlimit',
    `--nproc=${processesMax}`,
    `--nofile=${filesMax}`,
    `--fsize=${fileBytesMax}`,
    '--core=0',
    '--',
  ];
}
