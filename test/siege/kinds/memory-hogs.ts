/** Commands that take memory wherever it may be had: their own, shared, of a file without a name, of tmpfs, of sockets and pipes. */
import type { Ground } from '../ground.ts';
import { commandAction } from '../command-action.ts';
import type { Kind } from '../kind.ts';

const TIMEOUT_MS = 8_000;
/** What is taken at a time. */
const CHUNK_MIB = 16;
const MEMFD = process.arch === 'arm64' ? 279 : 319;

/** A perl program that goes on with what it is given, 16 MiB at a time, and says how far it came. */
const perl = (program: string): string => `perl -e '$| = 1; my $x = "x" x (16 << 20); ${program}'`;
const python = (program: string): string => `/usr/bin/python3 -c '${program}'`;

/** `chunks`: how often CHUNK_MIB is asked for in all. */
const COMMANDS: Readonly<Record<string, (chunks: number) => string>> = {
  'memory of one process': (chunks) => perl(`my @a; push @a, $x . $_ for 1 .. ${chunks}; sleep 3`),
  'memory of many processes': (chunks) =>
    `for i in $(seq 20); do ${perl(`my @a; push @a, $x . $_ for 1 .. ${chunks / 20}; sleep 5`)} & done; wait`,
  'a file without a name': (chunks) =>
    perl(
      `my $n = "m"; my $fd = syscall(${MEMFD}, $n, 0); open my $f, ">&=", $fd or die $!; syswrite($f, $x) or die $! for 1 .. ${chunks}; sleep 3`,
    ),
  'many files without names': (chunks) =>
    perl(
      `my @f; for (1 .. ${Math.ceil(chunks / 8)}) { my $n = "m"; my $fd = syscall(${MEMFD}, $n, 0); open my $f, ">&=", $fd or die $!; push @f, $f; syswrite($f, $x) or die $! for 1 .. 8 } sleep 3`,
    ),
  'System V segments': (chunks) =>
    perl(
      `for (1 .. ${chunks}) { my $id = shmget(0, 16 << 20, 01600); die "shmget: $!" unless defined $id; shmwrite($id, $x, 0, 16 << 20) or die $! } sleep 3`,
    ),
  'shared memory of nobody': (chunks) =>
    python(
      `import mmap,time\nm=[]\nfor i in range(${chunks}):\n  a=mmap.mmap(-1,16<<20); a.write(b"x"*(16<<20)); m.append(a)\ntime.sleep(3)`,
    ),
  'files in /dev/shm and /tmp': (chunks) =>
    `head -c ${chunks * CHUNK_MIB}M /dev/zero > /dev/shm/a; head -c ${chunks * CHUNK_MIB}M /dev/zero > /tmp/a; sleep 1`,
  'empty files in /tmp': () =>
    perl('mkdir "/tmp/d"; for my $n (1 .. 3000000) { open my $f, ">", "/tmp/d/" . $n or die $! }'),
  'buffers of sockets': () =>
    perl(
      'use Socket; my @s; while (1) { socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, 0) or last; push @s, $a, $b; $a->blocking(0); 1 while syswrite($a, $x) } sleep 3',
    ),
  'buffers of pipes': () =>
    perl(
      'my @p; while (1) { pipe(my $r, my $w) or last; push @p, $r, $w; $w->blocking(0); 1 while syswrite($w, $x) } sleep 3',
    ),
  'messages of System V': () =>
    perl(
      'for my $q (1 .. 2000) { my $id = msgget(0, 01600); die "msgget: $!" unless defined $id; msgsnd($id, pack("l! a*", 1, "x" x 8000), 04000) or last for 1 .. 100 } sleep 2',
    ),
  'nobody to be killed first': (chunks) =>
    `for p in /proc/[0-9]*; do echo -1000 > $p/oom_score_adj; echo 0 > $p/oom_score_adj; done 2>/dev/null; ${perl(`my @a; push @a, $x . $_ for 1 .. ${chunks}; sleep 3`)}`,
};

const ACTIONS = Object.fromEntries(
  Object.entries(COMMANDS).map(([name, command]) => [
    name,
    ({ hogMib }: Ground) => command(Math.ceil(hogMib / CHUNK_MIB)),
  ]),
);

export const memoryHogs: Kind = {
  name: 'memory hogs',
  attacks: 'commands that take gigabytes: own, shared, without a name, in tmpfs, in sockets and pipes',
  atOnce: 1,
  few: 1,
  takesCpu: true,
  action: (dice, ground) => commandAction({ dice, ground, timeoutMs: TIMEOUT_MS }, ACTIONS),
};
