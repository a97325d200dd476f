/**
 * What a session as a whole may take of the machine, tried as a command would: memory in forms that no limit of a process counts, the CPU with
 * many processes. Control groups are the kernel's, so what needs them runs where this user may make them (root, here).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HandsLost } from '../../../src/hands/faults.ts';
import { COMMAND_NICENESS, SHARED_MEMORY_ENTRIES_MAX, TMP_ENTRIES_MAX } from '../../../src/hands/limit.ts';
import { systemClock } from '../../../src/kernel/clock.ts';
import { controlGroupTrees, type Tree } from '../../../src/platform/local/isolation/control-group-folders.ts';
import { removeDeadGroups } from '../../../src/platform/local/isolation/control-group-removal.ts';
import { ControlGroups, findControlGroups } from '../../../src/platform/local/isolation/control-groups.ts';
import { launchMark } from '../../../src/platform/local/isolation/orphans.ts';
import type { Hands } from '../../../src/supervisor/launcher.ts';
import { eventually } from '../../support/eventually.ts';
import { Bench, SMALL } from '../../support/hands.ts';
import { isAlive, kill } from '../../support/processes.ts';

const MIB = 1024 * 1024;
const MEMORY = 192 * MIB;
/** PATH_MAX of Linux, with the zero at its end. */
const PATH_LENGTH_MAX = 4096;
const MARK = launchMark('test');
const found = await findControlGroups(MARK, systemClock);
const controllers = found.kind === 'found' ? found.groups.controllers : [];
const hasMemory = controllers.includes('memory');
const hasCpu = controllers.includes('cpu');
const isRoot = process.getuid?.() === 0;

let bench: Bench | undefined;
afterEach(async () => {
  await bench?.close();
  bench = undefined;
});

async function start(): Promise<{ bench: Bench; hands: Hands }> {
  bench = await Bench.open({ ...SMALL, memoryBytesMax: MEMORY });
  return { bench, hands: await bench.hands() };
}

/** The groups of sessions that this process has made, in the tree of a controller. */
function groupsOf(controller: 'memory' | 'cpu' | 'pids'): readonly string[] {
  const tree = controlGroupTrees().find((one) => one.controllers.includes(controller));
  const parent = join(tree?.own ?? '/none', MARK);
  return existsSync(parent)
    ? readdirSync(parent)
        .filter((name) => name.startsWith('hands-'))
        .map((name) => join(parent, name))
    : [];
}

const numberIn = (folder: string, ...names: readonly string[]): number =>
  Number(readFileSync(join(folder, names.find((name) => existsSync(join(folder, name))) ?? ''), 'utf8'));

/** Each wants to hold more than the bound. */
const HOLD: Readonly<Record<string, string>> = {
  'shared memory of nobody': `import mmap
m = [mmap.mmap(-1, 1 << 20) for _ in range(512)]
for piece in m: piece.write(bytes(1 << 20))`,
  memfd: `import os
for n in range(512): os.write(os.memfd_create("m"), bytes(1 << 20))`,
  'segments of System V': `import ctypes
libc = ctypes.CDLL(None, use_errno=True); libc.shmat.restype = ctypes.c_void_p
for n in range(512):
    at = libc.shmat(libc.shmget(0, 1 << 20, 0o1600), None, 0)
    if at in (None, 2 ** 64 - 1): raise OSError(ctypes.get_errno(), "shmat")
    ctypes.memset(at, 1, 1 << 20); libc.shmdt(ctypes.c_void_p(at))`,
  'sockets that nobody reads': `import socket
held = []
for n in range(2000):
    pair = socket.socketpair(); held.append(pair); pair[0].setblocking(False)
    pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    try:
        while True: pair[0].send(bytes(1 << 16))
    except BlockingIOError: pass`,
  'pipes that nobody reads': `import os, fcntl
for n in range(1500):
    r, w = os.pipe(); fcntl.fcntl(w, 1031, 1 << 20); os.set_blocking(w, False)
    try:
        while True: os.write(w, bytes(1 << 16))
    except BlockingIOError: pass`,
  'names in a file system of memory': `import os
for n in range(90000): open("/tmp/" + str(n) + "x" * 200, "w").close()
for n in range(200): open("/dev/shm/" + str(n), "wb").write(bytes(1 << 18))`,
};

it.runIf(hasMemory).each(Object.entries(HOLD))(
  'what %s hold is the session’s, and stops at its bound (proves CGROUP-1)',
  async (_what, program) => {
    const started = await start();
    const [group = ''] = groupsOf('memory');
    expect(numberIn(group, 'memory.limit_in_bytes', 'memory.max')).toBe(MEMORY);
    await started.bench.tool(started.hands, 'write', { path: 'hold.py', content: program });
    let peak = 0;
    const looks = setInterval(() => {
      if (!existsSync(group)) return;
      peak = Math.max(peak, numberIn(group, 'memory.max_usage_in_bytes', 'memory.peak', 'memory.current'));
    }, 20);
    const outcome = await started.bench
      .bash(started.hands, 'python3 hold.py; echo "ended with $?"', 60_000)
      .then(({ output }) => output)
      .catch((error: unknown) => error);
    clearInterval(looks);

    // the kernel ends the program, or the hands, or refuses; what is measured is that the bound holds and the next hands serve
    if (typeof outcome === 'string') expect(outcome).toMatch(/ended with|Killed/);
    else expect(outcome).toBeInstanceOf(HandsLost);
    expect(peak).toBeGreaterThan(16 * MIB);
    expect(peak).toBeLessThanOrEqual(MEMORY);
    const again = await started.bench.hands();
    expect((await started.bench.bash(again, 'echo serves')).output).toBe('serves\n');
  },
  120_000,
);

it.runIf(hasMemory)(
  'the hands of all sessions together have a bound below the memory of the machine (proves CGROUP-2)',
  async () => {
    await start();
    const [group = ''] = groupsOf('memory');
    const all = join(group, '..');
    const machine = Number(/MemTotal:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]) * 1024;

    expect(numberIn(all, 'memory.limit_in_bytes', 'memory.max')).toBeLessThanOrEqual(machine * 0.75);
    expect(readFileSync('/proc/self/cgroup', 'utf8')).not.toContain(MARK);
  },
);

it.runIf(controllers.length > 0)(
  'a group goes with its hands, and the one of all with the last',
  async () => {
    const { hands } = await start();
    const folders = controllers.flatMap(groupsOf);
    expect(folders).toHaveLength(controllers.length);
    await hands.stop();

    await eventually('the groups are gone', () => folders.every((folder) => !existsSync(join(folder, '..'))));
  },
);

it.runIf(hasCpu)(
  'sixty processes in sessions of their own are all in one group, behind their hands',
  async () => {
    const { bench: own, hands } = await start();
    await own.bash(hands, 'for i in $(seq 60); do setsid sleep 1000 > /dev/null 2>&1 & done');
    const [group = ''] = groupsOf('cpu');
    const pids = (): readonly string[] =>
      readFileSync(join(group, 'cgroup.procs'), 'utf8').trim().split('\n');
    const sleeping = (): readonly string[] =>
      pids().filter((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'sleep');
    await eventually('all of them run', () => sleeping().length === 60);

    const niceness = sleeping().map(
      (pid) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[16],
    );
    expect(new Set(niceness)).toEqual(new Set([String(COMMAND_NICENESS)]));
    const parent = join(group, '..');
    const weight = numberIn(parent, 'cpu.shares', 'cpu.weight');
    expect(weight).toBeLessThanOrEqual(existsSync(join(parent, 'cpu.shares')) ? 1024 : 100);
  },
);

it('without a control group every process is in the idle class and stays there, and memory of nobody is refused', async () => {
  bench = await Bench.open(SMALL, { withGroups: false });
  const hands = await bench.hands();
  const program = `import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for call in ("shmget", "msgget", "semget"): print(call, getattr(libc, call)(0, 1, 0o1600), os.strerror(ctypes.get_errno()))
try: os.memfd_create("m")
except OSError as error: print("memfd", error.strerror)`;
  await bench.tool(hands, 'write', { path: 'nobody.py', content: program });
  const { output } = await bench.bash(
    hands,
    `python3 nobody.py; setsid sleep 1000 > /dev/null 2>&1 & sleep 1000 > /dev/null 2>&1 &
    chrt --other -p 0 $$ 2>&1; chrt --batch -p 0 $$ 2>&1
    for p in /proc/[0-9]*; do [ "$p" = /proc/1 ] || chrt -p \${p#/proc/}; done | grep -o 'SCHED_.*' | sort -u`,
  );

  expect(output.match(/Function not implemented/g)).toHaveLength(4);
  expect(output.match(/Operation not permitted/g)).toHaveLength(2);
  expect(output.match(/^SCHED_.*$/gm)).toEqual(['SCHED_IDLE']);
});

it('nothing inside can raise what it was given of the CPU', async () => {
  const { bench: own, hands } = await start();
  const { output } = await own.bash(
    hands,
    `renice -n 0 $$ 2>&1; nice -n -5 true 2>&1; chrt --rr 1 true 2>&1; chrt --fifo 1 true 2>&1; chrt --deadline --sched-runtime 1000000 --sched-deadline 10000000 --sched-period 10000000 0 true 2>&1
    awk '{ print "niceness", $19 }' /proc/$$/stat; ulimit -e; ulimit -r`,
  );

  expect(output.match(/Permission denied|not permitted/g)?.length).toBeGreaterThanOrEqual(5);
  expect(output).toContain(`niceness ${COMMAND_NICENESS}\n0\n0\n`);
});

it('a command is the first that the kernel ends, and cannot undo it (proves OOM-1)', async () => {
  const { bench: own, hands } = await start();
  const { output } = await own.bash(
    hands,
    `for p in self 2 1; do { echo 0 > /proc/$p/oom_score_adj; } 2>&1; { echo -17 > /proc/$p/oom_adj; } 2>&1; done
    choom -n 0 -p $$ 2>&1; cat /proc/[0-9]*/oom_score_adj | sort -u`,
  );

  expect(output.trim().split('\n').at(-1)).toBe('1000');
  expect(output.match(/Read-only file system|Permission denied/g)?.length).toBeGreaterThanOrEqual(6);
  expect(Number(readFileSync(`/proc/${process.pid}/oom_score_adj`, 'utf8'))).toBeLessThan(1000);
});

it.runIf(isRoot)('files in memory are bounded in number', async () => {
  const { bench: own, hands } = await start();
  const { output } = await own.bash(hands, 'df --output=itotal /tmp /dev/shm | tail -n 2');

  expect(output.trim().split(/\s+/).map(Number)).toEqual([TMP_ENTRIES_MAX, SHARED_MEMORY_ENTRIES_MAX]);
});

it.runIf(controllers.length > 0)(
  'the groups of a dead server are removed with what runs in them, those of a living one are not (proves CGROUP-3)',
  async () => {
    const owner = 'dead0wner';
    const trees = controlGroupTrees().filter((tree) =>
      tree.controllers.some((one) => controllers.includes(one)),
    );
    const gone = spawn('true');
    await new Promise((resolve) => gone.once('exit', resolve));
    const dead = new ControlGroups(trees, `holdfast-${owner}-${gone.pid}`, systemClock).open({ pidsMax: 10 });
    const living = new ControlGroups(trees, `holdfast-${owner}-${process.pid}`, systemClock).open({
      pidsMax: 10,
    });
    const left: ChildProcess = spawn('sh', [
      '-c',
      'for f in "$@"; do echo 0 > "$f"; done; exec sleep 1000',
      'sh',
      ...dead.entrances,
    ]);
    const pid = left.pid ?? 0;
    await eventually('it is in the groups', () =>
      dead.entrances.every((path) => readFileSync(path, 'utf8').includes(String(pid))),
    );
    const ended = new Promise((resolve) => left.once('exit', resolve));

    const removed = await removeDeadGroups(`holdfast-${owner}-`, systemClock);
    await ended;
    expect(removed).toHaveLength(trees.length);
    expect(dead.folders.some((folder) => existsSync(join(folder, '..')))).toBe(false);
    expect(living.folders.every((folder) => existsSync(folder))).toBe(true);
    expect(isAlive(pid)).toBe(false);
    await living.close();
    if (isAlive(pid)) kill(pid);
  },
);

it('finds where it is: in the tree of each controller, in a part of one, in version 2 beside the leaf of the server', () => {
  const top = mkdtempSync(join(tmpdir(), 'holdfast-cgroup-'));
  mkdirSync(join(top, 'app'));
  writeFileSync(join(top, 'app', 'cgroup.controllers'), 'cpuset cpu memory hugetlb');
  const mountinfo = [
    '31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw',
    '32 31 0:29 /docker/a /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids',
    String.raw`33 31 0:30 / /odd\040place/cpu rw - cgroup cgroup rw,cpu,cpuacct`,
    '34 31 0:31 /elsewhere /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
    `35 31 0:32 / ${top} rw - cgroup2 cgroup2 rw`,
  ].join('\n');
  const own = [
    '3:cpu,cpuacct:/x',
    '2:pids:/docker/a/b:c',
    '4:memory:/docker/a',
    '0::/app/holdfast-server',
  ].join('\n');

  expect(
    controlGroupTrees(mountinfo, own).map(({ own: group, controllers: names }) => [group, names]),
  ).toEqual([
    ['/sys/fs/cgroup/pids/b:c', ['pids']],
    ['/odd place/cpu/x', ['cpu']],
    [join(top, 'app'), ['memory']],
  ]);
  rmSync(top, { recursive: true });
});

describe('a group that cannot be made', () => {
  let top: string;
  beforeEach(() => {
    top = mkdtempSync(join(tmpdir(), 'holdfast-cgroup-'));
  });
  afterEach(() => rmSync(top, { recursive: true }));

  it('in one tree stays in no other, and keeps those of all sessions nowhere', () => {
    const trees = ['first', 'second', 'third'].map((name): Tree => {
      const own = join(top, name);
      return { version: 1, top: own, own, controllers: [] };
    });
    mkdirSync(join(top, 'first'));
    mkdirSync(join(top, 'second'));
    writeFileSync(join(top, 'third'), 'no folder');
    const groups = new ControlGroups(trees, 'mark', systemClock);

    expect(() => groups.open({ pidsMax: 7 })).toThrow(/ENOTDIR/);
    expect(() => groups.open({ pidsMax: 7 })).toThrow(/ENOTDIR/);
    expect(new Set<string>(readdirSync(top, { recursive: true, encoding: 'utf8' }))).toEqual(
      new Set(['first', 'second', 'third']),
    );
  });

  it('because its limits are not taken is gone once that was found out', async () => {
    const inside = '/mark/hands-1';
    const own = `${top}${`/${'d'.repeat(200)}`.repeat(30)}`.slice(0, PATH_LENGTH_MAX - inside.length - 2); // no file in it has a path
    mkdirSync(own, { recursive: true });
    const tried = await findControlGroups('mark', systemClock, [
      { version: 1, top, own, controllers: ['pids'] },
    ]);

    expect(tried).toMatchObject({ kind: 'none', missing: expect.stringContaining('ENAMETOOLONG') });
    expect(readdirSync(own)).toEqual([]);
  });
});

it('limits of version 2 are written as its files want them', () => {
  const own = mkdtempSync(join(tmpdir(), 'holdfast-cgroup-'));
  mkdirSync(join(own, 'mark'));
  writeFileSync(join(own, 'mark', 'memory.swap.max'), 'max');
  const tree = { version: 2, top: own, own, controllers: ['memory', 'cpu', 'pids'] } as const;
  const { entrances } = new ControlGroups([tree], 'mark', systemClock).open({
    pidsMax: 7,
    memoryBytesMax: MEMORY,
  });

  const text = (name: string): string => readFileSync(join(own, 'mark', name), 'utf8');
  expect(entrances).toEqual([join(own, 'mark/hands-1/cgroup.procs')]);
  expect(text('cgroup.subtree_control')).toBe('+memory +cpu +pids');
  expect([text('cpu.weight'), text('memory.swap.max')]).toEqual(['100', '0']);
  expect(['memory.max', 'cpu.weight', 'pids.max'].map((name) => text(`hands-1/${name}`))).toEqual([
    String(MEMORY),
    '100',
    '7',
  ]);
  rmSync(own, { recursive: true });
});
