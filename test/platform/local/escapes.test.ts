/** What a command tries that wants out, or wants to harm: each is refused, and the hands go on. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PROCESS_DATA_BYTES_MAX } from '../../../src/hands/limit.ts';
import { newId } from '../../../src/kernel/id.ts';
import type { Hands } from '../../../src/supervisor/launcher.ts';
import { eventually } from '../../support/eventually.ts';
import { Bench, SMALL } from '../../support/hands.ts';
import { isAlive } from '../../support/processes.ts';

const CANARY = 'canary-of-the-host-5b1f';
const sessionId = newId('session');
let bench: Bench;
let hands: Hands;
let outside: string;
beforeAll(async () => {
  outside = mkdtempSync(join(tmpdir(), 'holdfast-outside-'));
  writeFileSync(join(outside, 'canary'), CANARY, { mode: 0o644 });
  bench = await Bench.open(SMALL);
  hands = await bench.hands(sessionId);
});
afterEach(async () => {
  const { output } = await bench.bash(hands, 'echo go on');
  if (output !== 'go on\n') throw new Error(`The hands do not go on: ${output}`);
});
afterAll(async () => {
  await bench.close();
  rmSync(outside, { recursive: true, force: true });
});

const bash = (command: string, timeoutMs?: number) => bench.bash(hands, command, timeoutMs);
/** At once: a call that was killed is answered when what it had started is gone, so the next one has room. */
async function expectFewProcesses(): Promise<void> {
  const { output } = await bash('ls -d /proc/[0-9]* | wc -l');
  expect(output).toMatch(/^\d+\n$/);
  expect(Number(output)).toBeLessThan(12);
}

describe('files of the host', () => {
  it('are not there', async () => {
    const { output } = await bash(
      `cat /etc/shadow ${outside}/canary /proc/1/root${outside}/canary 2>&1; ls / /home /root /var`,
    );

    expect(output).not.toContain(CANARY);
    expect(output.match(/No such file|Permission denied/g)?.length).toBeGreaterThanOrEqual(6);
    expect(output).not.toMatch(/^(home|root|var|mnt|srv|boot|sys)$/m);
  });

  it('are not reached by an open file descriptor', async () => {
    const { output } = await bash(
      'ls /proc/self/fd /proc/2/fd; readlink /proc/self/fd/* /proc/2/fd/*; ls /proc/*/cwd/.. /proc/*/root /',
    );

    expect(output).not.toContain(outside);
    expect(output).not.toContain(bench.folder);
    const opened = (await bash('for fd in /proc/2/fd/*; do readlink $fd; done')).output.trim().split('\n');
    expect(
      opened.filter(
        (target) => target.startsWith('/') && target !== '/dev/null' && !target.startsWith('/tmp/'),
      ),
    ).toEqual([]);
  });

  it('of the system and of Holdfast cannot be changed', async () => {
    const { output } = await bash(
      'for f in /usr/x /etc/x /x /opt/holdfast/x /opt/holdfast/src/hands/server.ts /run/x /dev/x /proc/sys/kernel/hostname; do (echo x >> $f) && echo WROTE $f; done',
    );

    expect(output).not.toContain('WROTE');
  });

  it('of another session are not there, and belong to another user when the server is root', async () => {
    const other = newId('session');
    const theirs = await bench.hands(other);
    await bench.bash(theirs, `echo ${CANARY} > theirs; chmod 666 theirs`);

    const { output } = await bash(
      `cat ${bench.workspaceOf(other)}/theirs /workspace/../${other}/files/theirs; find / -path /usr -prune -o -name theirs -print 2>/dev/null`,
    );
    expect(output).not.toMatch(new RegExp(`^${CANARY}`, 'm'));
    expect(output).not.toMatch(/^\/.*theirs$/m);
    const owner = (id: typeof other): number => statSync(bench.workspaceOf(id)).uid;
    if (process.getuid?.() === 0) expect(owner(other)).not.toBe(owner(sessionId));
    else expect(owner(other)).toBe(process.getuid?.());
    await theirs.stop();
  });
});

describe('the network', () => {
  let server: Server;
  const unix = (): string => join(outside, 'unit.sock');
  const connections: unknown[] = [];
  let door: Server;
  beforeAll(async () => {
    server = createServer((socket) => connections.push(socket.end())).listen(0, '0.0.0.0');
    door = createServer((socket) => connections.push(socket.end())).listen(unix());
    await Promise.all([once(server, 'listening'), once(door, 'listening')]);
  });
  afterAll(() => Promise.all([server, door].map((one) => new Promise((resolve) => one.close(resolve)))));

  it('has no way to a listener on the loopback of the host, to an address, or to a name', async () => {
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const { output } = await bash(
      `for to in 127.0.0.1/${port} 10.0.0.1/80 169.254.169.254/80; do (exec 3<>/dev/tcp/$to) && echo CONNECTED; done; getent hosts example.org && echo RESOLVED`,
    );

    expect(output).not.toMatch(/CONNECTED|RESOLVED/);
    expect((await bash('tail -n +3 /proc/net/dev | cut -d: -f1')).output.trim()).toBe('lo');
    expect(connections).toEqual([]);
  });

  it('has no way to the unit endpoint, nor to the machine around this one', async () => {
    const connect = (to: string): string => `python3 -c "import socket as s; ${to}" 2>&1 || true`;
    const { output } = await bash(
      [
        connect(`s.socket(s.AF_UNIX).connect('${unix()}')`),
        connect('s.socket(s.AF_VSOCK).connect((2, 1))'),
      ].join('; '),
    );

    expect(output).toMatch(/No such file|python3: command not found/);
    expect(output).toMatch(/Address family not supported|python3: command not found/);
    expect(connections).toEqual([]);
  });
});

describe('other processes', () => {
  it('are not seen', async () => {
    const { output } = await bash(
      'ls /proc | grep -E "^[0-9]+$" | while read p; do cat /proc/$p/comm; done 2>/dev/null | sort -u',
    );

    expect(
      output
        .trim()
        .split('\n')
        .filter((name) => !['bwrap', 'hands', 'bash', 'ls', 'grep', 'cat', 'sort'].includes(name)),
    ).toEqual([]);
  });

  it('are not killed, and neither are the hands', async () => {
    const { output } = await bash(
      `kill -9 ${process.pid}; kill -9 1; kill -9 2; kill -9 -1; kill -9 -2; pkill -9 node; pkill node; kill -TERM -- -1; echo survived`,
    );

    expect(output).toContain('survived');
    expect(isAlive(hands.pid)).toBe(true);
  });

  it('show no environment, and no path of the host', async () => {
    const { output } = await bash(
      'cat /proc/[0-9]*/environ | tr "\\0" "\\n" | sort -u; echo; cat /proc/1/environ /proc/2/cmdline /proc/1/cmdline',
    );

    const names = [...output.matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name);
    expect(
      names.filter(
        (name) =>
          !['PATH', 'HOME', 'LANG', 'TERM', 'USER', 'HANDS_CALL', 'PWD', 'SHLVL', '_', 'OLDPWD'].includes(
            name ?? '',
          ),
      ),
    ).toEqual([]);
    expect(output).not.toContain(bench.folder);
    expect((await bash('wc -c < /proc/1/environ')).output.trim()).toBe('0');
  });

  it('cannot be traced, and namespaces and mounts cannot be made', async () => {
    const { output } = await bash(
      [
        'unshare -r true && echo UNSHARED',
        'unshare -m true && echo UNSHARED',
        'nsenter -t 1 -m true && echo ENTERED',
        'mount -t tmpfs none /tmp && echo MOUNTED',
        'mount -o remount,rw / && echo MOUNTED',
        'mknod /tmp/sda b 8 0 && echo MADE',
        'chroot / true && echo ROOTED',
        `perl -e 'exit(syscall(${process.arch === 'arm64' ? 117 : 101}, 16, 2, 0, 0) == 0 ? 0 : 1)' && echo TRACED`,
        'grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/self/status',
      ].join('; '),
    );

    expect(output).not.toMatch(/UNSHARED|ENTERED|MOUNTED|MADE|ROOTED|TRACED/);
    expect(output).toMatch(/CapEff:\s0+\nNoNewPrivs:\s1\nSeccomp:\s2/);
  });
});

describe('what would harm the machine', () => {
  /** While what was written last is being measured, a clean-up may be ended with it: it is made again. */
  const cleanUp = (): Promise<unknown> =>
    eventually('it is cleaned up', async () => {
      const { outcome, output } = await bash('chmod -f 700 part*; rm -rf part*; ls');
      return outcome === 'ok' && !output.includes('part');
    });

  it('a fork bomb runs dry and is killed at its deadline', async () => {
    const { outcome } = await bash('bomb() { bomb | bomb & }; bomb; sleep 1000', 2_000);

    expect(outcome).toBe('timed_out');
    await expectFewProcesses();
  });

  it('a fork bomb of daemons runs dry and is killed at its deadline', async () => {
    const bomb = 'bomb() { setsid bash -c "$(declare -f bomb); bomb & bomb &" & }; bomb; sleep 1000';
    const { outcome } = await bash(bomb, 2_000);

    expect(outcome).toBe('timed_out');
    await expectFewProcesses();
  });

  it('ten gigabytes into one file stop at the bound of a file', async () => {
    const { outcome, output } = await bash(
      'dd if=/dev/zero of=big bs=1M count=10240; truncate -s 10G sparse && echo TRUNCATED',
    );

    expect(outcome).toBe('failed');
    expect(output).not.toContain('TRUNCATED');
    expect(statSync(join(bench.workspaceOf(sessionId), 'big')).size).toBeLessThanOrEqual(SMALL.fileBytesMax);
    await bash('rm -f big sparse');
  });

  it('ten gigabytes into many files stop at the bound of the workspace, which can then be cleaned up', async () => {
    const { outcome, output } = await bash(
      'for i in $(seq 10240); do head -c 1048576 /dev/zero > part$i; done',
    );

    expect(outcome).toBe('failed');
    expect(output).toContain('the workspace is over its limit');
    expect((await bench.tool(hands, 'write', { path: 'more', content: 'x' })).output).toContain(
      'over its limit',
    );
    expect((await bash('rm -f part*; ls')).outcome).toBe('ok');
    expect((await bench.tool(hands, 'write', { path: 'more', content: 'x' })).outcome).toBe('ok');
  });

  it('room that is reserved instead of written is refused, and the writing that stands for it stops at the bound', async () => {
    const reserve = `import ctypes, fcntl, os, struct
libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
held = [os.open("reserved%d" % n, os.O_CREAT | os.O_RDWR) for n in range(8)]
for fd in held:
    for mode in (0, 1, 0x10): print(libc.fallocate(fd, mode, 0, 20 << 20), os.strerror(ctypes.get_errno()))
    try: print(fcntl.ioctl(fd, 0x4030582a, struct.pack("hhqqiI4i", 0, 0, 0, 20 << 20, 0, 0, 0, 0, 0, 0)))
    except OSError as error: print(-1, error.strerror)
print(os.stat("reserved0").st_blocks, "blocks", flush=True)
for fd in held * 100:
    os.ftruncate(fd, 0); os.posix_fallocate(fd, 0, 20 << 20)`;
    await bench.tool(hands, 'write', { path: 'reserve.py', content: reserve });
    const { outcome, output } = await bash('python3 reserve.py');
    const size = Number((await bash('du -s --block-size=1 /workspace | cut -f1')).output);
    await bash('rm -f reserved* reserve.py');

    expect(outcome).toBe('failed');
    expect(output.match(/-1 Operation not supported/g)).toHaveLength(32);
    expect(output).toContain('0 blocks');
    expect(output).toContain('over its limit');
    expect(size).toBeLessThan(8 * 20 * 1024 * 1024 + 1024 * 1024);
  });

  it('a daemon that goes on filling the workspace is ended too', async () => {
    await bash(
      '(i=0; while true; do i=$((i+1)); head -c 1048576 /dev/zero > part$i; done) & echo $! > filler',
    );

    await eventually('the daemon has ended', async () => {
      const { outcome, output } = await bash('kill -0 $(cat filler) && echo RUNS; true');
      return outcome === 'ok' && !output.includes('RUNS'); // while it grows, other commands are ended with it
    });
    await cleanUp();
  });

  it.each([
    ['deleted files that it holds open', 'exec {fd}>part$i; head -c 1048576 /dev/zero >&$fd; rm part$i'],
    [
      'a path longer than the system takes',
      'for n in $(seq $((i == 1 ? 30 : 0))); do mkdir $deep && cd $deep; done; head -c 1048576 /dev/zero > part$i',
    ],
    ['folders that it closes', 'mkdir part$i; head -c 1048576 /dev/zero > part$i/x; chmod 0 part$i'],
  ])('a command that fills %s is ended as one that fills the workspace is', async (_where, write) => {
    const { outcome, output } = await bash(
      `deep=part$(printf 'd%.0s' {1..200}); for i in $(seq 300); do ${write}; sleep 0.02; done`,
    );
    await cleanUp();

    expect(outcome).toBe('failed');
    expect(output).toContain('over its limit');
  });

  it('writable memory of one process is bounded', async () => {
    expect((await bash('ulimit -d')).output.trim()).toBe(String(PROCESS_DATA_BYTES_MAX / 1024));
    // dd only reserves its buffer: it reads nothing into it
    expect(await bash('dd if=/dev/null bs=1G count=1')).toMatchObject({ outcome: 'ok' });
    expect((await bash('dd if=/dev/null bs=5G count=1')).output).toContain('memory exhausted');
  });

  it('memory in /tmp and /dev/shm is bounded', async () => {
    const fill = (folder: string): string =>
      `for i in $(seq 20); do head -c 31000000 /dev/zero > ${folder}/part$i || break; done; rm -f ${folder}/part*`;

    const { output } = await bash(`${fill('/tmp')}; ${fill('/dev/shm')}`);
    expect(output).toMatch(/No space left.*\n(.*\n)*.*No space left/);
  });
});
