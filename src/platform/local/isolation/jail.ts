/**
 * Starts a program alone: bubblewrap with every namespace of its own, no network, a read-only system, an empty environment,
 * no capabilities, a seccomp filter, resource limits, and death with its parent. docs/isolation.md says what that promises.
 *
 * As root the program runs as an unprivileged user that nobody else is. That user cannot walk to a source under a private
 * folder, so the sources are first bound to places it can reach, in a mount namespace that ends with the program.
 *
 * No path of this machine is an argument inside: bubblewrap reads its arguments from a pipe.
 *
 * ORPHAN-1 As root, nothing that was started here outlives the control plane, at whatever moment that dies: all of it is in a process
 *    namespace whose first process dies with its parent, and with the first process the kernel ends the rest. bubblewrap alone does
 *    not keep that: a set-up that is killed leaves a child which waits for it for good (bubblewrap.c: main reads child_wait_fd, of
 *    which the child itself holds the other end). As another user that moment is the one between two system calls of bubblewrap's,
 *    and orphans.ts finds what is left by it; while the control plane lives, launcher/child.ts ends it with its process group.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, lstatSync, readlinkSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { SHARED_MEMORY_BYTES_MAX, SHARED_MEMORY_ENTRIES_MAX, TMP_ENTRIES_MAX } from '../../../hands/limit.ts';
import type { ControlGroups } from './control-groups.ts';
import { withinHardLimit } from './hard-limits.ts';

/** How programs are isolated on this machine; made by isolation.ts, which has tried it. */
export interface Bubblewrap {
  readonly kind: 'bubblewrap';
  /** Absolute path of bwrap. */
  readonly program: string;
  /** The filters: where a control group is charged with memory that belongs to no process, and elsewhere (seccomp.ts). */
  readonly seccomp: { readonly charged: Buffer; readonly uncharged: Buffer };
  /** Undefined where this process can make none. */
  readonly groups: ControlGroups | undefined;
  /** Why there are none, or not all of them, for people. */
  readonly groupsMissing: string | undefined;
  /** True when the control plane is root. */
  readonly asRoot: boolean;
  /** Who launches, for orphans.ts: an argument of every process of the set-up. */
  readonly mark: string;
}

export interface Bind {
  readonly source: string;
  readonly target: string;
  readonly writable?: boolean;
}

export interface Jail {
  readonly binds: readonly Bind[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Options of prlimit(1). */
  readonly limits: readonly string[];
  readonly tmpBytesMax: number;
  /** For the kernel that runs out of memory (proc(5), oom_score_adj); the program cannot undo it. */
  readonly oomScore: number;
  /** The doors of its control group (ControlGroup.entrances); none where there is no group. */
  readonly entrances: readonly string[];
  /** Whether that group is charged with memory. */
  readonly memoryIsCharged: boolean;
  readonly argv: readonly string[];
  /** Used when the control plane is root. */
  readonly uid: number;
}

/** Where the program and its source are inside. */
export const APP = '/opt/holdfast';
export const NODE = `${APP}/bin/node`;
/** Programs of the system, and node last, for commands that want one. */
export const JAIL_PATH = `/usr/local/bin:/usr/bin:/bin:${APP}/bin`;

/** Who the program is inside, whoever it is outside. */
const USER = 1000;
/** Where sources are bound for an unprivileged user: everybody can reach it, and nobody keeps files there. */
const STAGE = '/sys';
const ROOT_PATH = '/usr/sbin:/usr/bin:/sbin:/bin';
const RUN_BYTES_MAX = 1024 * 1024;

/**
 * Dies with the control plane, and with it everything after it (ORPHAN-1). What is set with prctl(2) before the control plane dies is
 * kept over exec; where that had died before, stdin has ended, and so does the program once it runs.
 */
const CONTAINED = [
  ...['--pdeathsig', 'KILL', '--'],
  ...[
    'unshare',
    '--mount',
    '--propagation',
    'private',
    '--pid',
    '--fork',
    '--kill-child',
    '--mount-proc',
    '--',
  ],
];
/** Takes its first arguments: a score for the kernel that runs out of memory, number of groups, groups. It then is in them, with what it starts. */
const ENTER_SCRIPT = `
{ echo "$1" > /proc/self/oom_score_adj; } 2>/dev/null || : # one that has a higher score already keeps it
groups=$2
shift 2
while [ "$groups" -gt 0 ]; do
  echo 0 > "$1"
  shift
  groups=$((groups - 1))
done
`;
/**
 * Then: user id, bytes of /tmp, number of sources, sources, then what to run. Everything before bubblewrap's exec is root. File systems in
 * memory are made here, where their number of files can be bounded: bubblewrap knows only their size.
 */
const STAGE_SCRIPT = `
set -e
${ENTER_SCRIPT}
uid=$1 tmp=$2 count=$3
shift 3
mount -t tmpfs -o size=64k,mode=0755 tmpfs ${STAGE}
mkdir ${STAGE}/tmp ${STAGE}/shm
own="mode=0755,uid=$uid,gid=$uid"
mount -t tmpfs -o "size=$tmp,nr_inodes=${TMP_ENTRIES_MAX},$own" tmpfs ${STAGE}/tmp
mount -t tmpfs -o "size=${SHARED_MEMORY_BYTES_MAX},nr_inodes=${SHARED_MEMORY_ENTRIES_MAX},$own" tmpfs ${STAGE}/shm
n=0
while [ "$n" -lt "$count" ]; do
  if [ -d "$1" ]; then mkdir "${STAGE}/$n"; else : > "${STAGE}/$n"; fi
  mount --bind -- "$1" "${STAGE}/$n"
  shift
  n=$((n + 1))
done
exec env -i setpriv "--reuid=$uid" "--regid=$uid" --clear-groups --pdeathsig KILL -- "$@"
`;
/** For another user than root. */
const PLAIN_SCRIPT = `
set -e
${ENTER_SCRIPT}
exec "$@"
`;

/** Whatever was open in the shell that started the control plane would be open inside: only stdin, stdout, stderr are. */
const CLOSE_SCRIPT = `
for path in /proc/self/fd/*; do
  fd=\${path##*/}
  if [ "$fd" -gt 2 ]; then eval "exec $fd>&-"; fi
done
exec "$@"
`;

// File descriptors of bubblewrap; 0 to 2 are the program's own.
const ARGS_FD = 3;
const SECCOMP_FD = 4;
const PASSWD_FD = 5;
const GROUP_FD = 6;
const PACKAGE_FD = 7;

const PASSWD = `root:x:0:0:root:/root:/usr/sbin/nologin
hands:x:${USER}:${USER}:hands:/workspace:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
`;
const GROUP = `root:x:0:\nhands:x:${USER}:\nnogroup:x:65534:\n`;
/** Without it node would have to guess what kind of module a source file is. */
const PACKAGE = '{"type":"module"}\n';

/** Killing the process kills everything inside. stdin, stdout and stderr are pipes. */
export function startInJail(bubblewrap: Bubblewrap, jail: Jail): ChildProcess {
  const { asRoot, program, seccomp, mark } = bubblewrap;
  const sources = jail.binds.map(({ source }) => source);
  const staged = asRoot ? jail.binds.map((bind, n) => ({ ...bind, source: `${STAGE}/${n}` })) : jail.binds;
  const limits = jail.limits.map((option) => withinHardLimit(option));
  const inside = ['bash', '-c', CLOSE_SCRIPT, mark, 'prlimit', ...limits, '--', ...jail.argv];
  const plain = [program, '--args', String(ARGS_FD), '--', ...inside];
  const entering = [String(jail.oomScore), String(jail.entrances.length), ...jail.entrances];
  const staging = [String(jail.uid), String(jail.tmpBytesMax), String(sources.length), ...sources];
  // ORPHAN-1
  const stage = [...CONTAINED, '/bin/sh', '-c', STAGE_SCRIPT, 'sh', ...entering, ...staging];
  const [file = '', ...args] = asRoot
    ? ['setpriv', ...stage, ...plain]
    : ['/bin/sh', '-c', PLAIN_SCRIPT, 'sh', ...entering, ...plain];
  const env = asRoot ? { PATH: ROOT_PATH } : {};
  const pipes = Array.from({ length: PACKAGE_FD + 1 }, () => 'pipe' as const);
  // Its own session: a Ctrl-C at the terminal is for the control plane, which then stops its units in order.
  const child = spawn(file, args, { env, cwd: '/', stdio: pipes, detached: true });
  feed(
    child,
    ARGS_FD,
    Buffer.from(
      jailArguments({ ...jail, binds: staged }, asRoot)
        .map((text) => `${text}\0`)
        .join(''),
    ),
  );
  feed(child, SECCOMP_FD, jail.memoryIsCharged ? seccomp.charged : seccomp.uncharged);
  feed(child, PASSWD_FD, PASSWD);
  feed(child, GROUP_FD, GROUP);
  feed(child, PACKAGE_FD, PACKAGE);
  return child;
}

function jailArguments(jail: Jail, asRoot: boolean): readonly string[] {
  const namespaces = ['user', 'pid', 'net', 'ipc', 'uts'].map((name) => `--unshare-${name}`);
  const env = Object.entries(jail.env).flatMap(([name, value]) => ['--setenv', name, value]);
  const binds = jail.binds.flatMap(({ source, target, writable }) => [
    writable ? '--bind' : '--ro-bind',
    source,
    target,
  ]);
  return [
    ...[...namespaces, '--unshare-cgroup-try', '--disable-userns', '--die-with-parent', '--new-session'],
    ...['--hostname', 'holdfast', '--clearenv', ...env],
    ...systemArguments(),
    ...['--proc', '/proc', '--dev', '/dev'],
    ...inMemory('/dev/shm', SHARED_MEMORY_BYTES_MAX, asRoot ? `${STAGE}/shm` : undefined),
    ...inMemory('/tmp', jail.tmpBytesMax, asRoot ? `${STAGE}/tmp` : undefined),
    ...inMemory('/run', RUN_BYTES_MAX),
    // a command cannot take back what is said of it there (oom_score_adj), nor write anything else that the kernel asks for
    ...['--remount-ro', '/dev', '--remount-ro', '/proc'],
    ...['--file', String(PACKAGE_FD), `${APP}/package.json`],
    ...binds,
    ...['--remount-ro', '/run', '--remount-ro', '/', '--chdir', jail.cwd],
    ...['--uid', String(USER), '--gid', String(USER), '--cap-drop', 'ALL', '--seccomp', String(SECCOMP_FD)],
  ];
}

/** A file system in memory: `staged` where STAGE_SCRIPT has made one. */
function inMemory(target: string, bytesMax: number, staged?: string): readonly string[] {
  return staged === undefined ? ['--size', String(bytesMax), '--tmpfs', target] : ['--bind', staged, target];
}

/** The programs and libraries of this machine, and the few files of /etc that they need. */
function systemArguments(): readonly string[] {
  const top = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'].flatMap((name) => {
    const path = `/${name}`;
    if (!existsSync(path)) return [];
    return lstatSync(path).isSymbolicLink()
      ? ['--symlink', readlinkSync(path), path]
      : ['--ro-bind', path, path];
  });
  const etc = ['alternatives', 'ld.so.cache', 'ssl', 'localtime'].map((name) => `/etc/${name}`);
  return [
    ...['--ro-bind', '/usr', '/usr', ...top, '--dir', '/etc'],
    ...etc.flatMap((path) => ['--ro-bind-try', path, path]),
    ...['--file', String(PASSWD_FD), '/etc/passwd', '--file', String(GROUP_FD), '/etc/group'],
  ];
}

function feed(child: ChildProcess, fd: number, content: string | Buffer): void {
  // 'pipe' was asked for above; a child that could not be started for want of descriptors has no streams at all
  const pipe = (child.stdio as ChildProcess['stdio'] | undefined)?.[fd] as Duplex | null | undefined;
  pipe?.on('error', () => undefined); // it ended before it had read: its end says why
  pipe?.end(content);
}
