/** The filter as the kernel would run it, on both processors; that it is in force is seen in escapes.test.ts. */
import { describe, expect, it } from 'vitest';
import { existsSync, readFileSync } from 'node:fs';
import { allowedCalls } from '../../../src/platform/local/isolation/system-calls.ts';
import { deniedCalls, seccompFilter } from '../../../src/platform/local/isolation/seccomp.ts';

const ARCH = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;
const ALLOW = 0x7fff0000;
const EPERM = 0x50001;
const ENOSYS = 0x50026;
const EAFNOSUPPORT = 0x50061;
const EOPNOTSUPP = 0x5005f;
const UNCHARGED = { memoryIsCharged: false };

/** Classic BPF, as far as the filter uses it. */
function verdict(program: Buffer, call: { arch: number; nr: number; args?: readonly number[] }): number {
  const data = new Map([
    [0, call.nr],
    [4, call.arch],
    ...(call.args ?? []).map((arg, n) => [16 + 8 * n, arg] as const),
  ]);
  let accumulator = 0;
  for (let at = 0; at < program.length; at += 8) {
    const [code, ifTrue, ifFalse] = [
      program.readUInt16LE(at),
      program.readUInt8(at + 2),
      program.readUInt8(at + 3),
    ];
    const value = program.readUInt32LE(at + 4);
    const jump = (condition: boolean): void => void (at += 8 * (condition ? ifTrue : ifFalse));
    if (code === 0x20) accumulator = (data.get(value) ?? 0) >>> 0;
    else if (code === 0x15) jump(accumulator === value);
    else if (code === 0x35) jump(accumulator >= value);
    else if (code === 0x45) jump((accumulator & value) !== 0);
    else if (code === 0x06) return value;
    else throw new Error(`unknown instruction ${code}`);
  }
  throw new Error('the program ran past its end');
}

describe.each(['x64', 'arm64'] as const)('on %s', (processor) => {
  const program = seccompFilter(UNCHARGED, processor);
  const arch = ARCH[processor];
  const number = (x64: number, arm64: number): number => (processor === 'x64' ? x64 : arm64);
  const ask = (nr: number, ...args: number[]): number => verdict(program, { arch, nr, args });

  it('answers as a kernel without it would what is on neither list, of this kernel or of one to come (proves SECCOMP-1)', () => {
    const known = new Set([
      ...allowedCalls(processor, UNCHARGED).values(),
      ...deniedCalls(processor).values(),
    ]);
    const asked = [...Array(600).keys(), 0x3fffffff].filter((nr) => !known.has(nr));

    expect(new Set(asked.map((nr) => ask(nr)))).toEqual(new Set([ENOSYS]));
    // clone3, pidfd_send_signal, process_madvise, memfd_secret, statmount, listmount, lsm_*, file_getattr, file_setattr, listns
    expect([435, 424, 440, 447, 457, 458, 459, 460, 461, 468, 469, 470].map((nr) => ask(nr))).toEqual(
      Array(12).fill(ENOSYS),
    );
    expect(ask(467)).toBe(EPERM); // open_tree_attr, as the other calls of mounts
  });

  it('allows every call of the list, with arguments that harm nobody', () => {
    const allowed = [...allowedCalls(processor, UNCHARGED)];
    const harmless = new Map([
      ['fallocate', [3, 0x03]], // punch a hole
      ['kill', [100, 9]],
    ]);

    expect(allowed.filter(([name, nr]) => ask(nr, ...(harmless.get(name) ?? [])) !== ALLOW)).toEqual([]);
    // futex_wait and its like, cachestat, fchmodat2, mseal, setxattrat: libraries of today ask for them
    expect([449, 451, 452, 454, 455, 456, 462, 463, 466].map((nr) => ask(nr))).toEqual(Array(9).fill(ALLOW));
  });

  it('refuses memory that belongs to no process where no control group is charged with it', () => {
    // shmget, semget, msgget, memfd_create
    const calls = [number(29, 194), number(64, 190), number(68, 186), number(319, 279)];
    const charged = seccompFilter({ memoryIsCharged: true }, processor);

    expect(calls.map((nr) => ask(nr))).toEqual(Array(4).fill(ENOSYS));
    expect(calls.map((nr) => verdict(charged, { arch, nr }))).toEqual(Array(4).fill(ALLOW));
  });

  it('lets room be given back and not be reserved, by whichever door', () => {
    const fallocate = number(285, 47);
    // 0, KEEP_SIZE, COLLAPSE_RANGE, ZERO_RANGE, INSERT_RANGE, UNSHARE_RANGE, a bit of the future
    expect([0, 1, 8, 0x10, 0x20, 0x40, 0x80].map((mode) => ask(fallocate, 3, mode))).toEqual(
      Array(7).fill(EOPNOTSUPP),
    );
    expect(ask(fallocate, 3, 3)).toBe(ALLOW); // PUNCH_HOLE | KEEP_SIZE
    const requests = [0x40305828, 0x4030582a, 0x40305839, 0x4030580a, 0x40305824];
    expect(requests.map((request) => ask(number(16, 29), 3, request))).toEqual(Array(5).fill(EOPNOTSUPP));
    expect(ask(number(16, 29), 3, 0x4030582b)).toBe(ALLOW); // FS_IOC_UNRESVSP64 gives back
  });

  it('lets a program change how it is run as far as containers do', () => {
    const personality = number(135, 92);
    expect([0xffffffff, 0, 0x40000].map((persona) => ask(personality, persona))).toEqual(
      Array(3).fill(ALLOW),
    );
    expect(ask(personality, 0x0400000)).toBe(EPERM); // READ_IMPLIES_EXEC
  });

  it('refuses every call of the list and no other', () => {
    const denied = new Set(deniedCalls(processor).values());
    const refused = Array.from({ length: 600 }, (_, nr) => nr).filter((nr) => ask(nr) === EPERM);

    expect(denied.size).toBe(deniedCalls(processor).size);
    expect(refused).toEqual([...denied].toSorted((a, b) => a - b));
  });

  it('looks at the flags of clone, and sends libc from clone3 to clone', () => {
    const clone = number(56, 220);
    expect(ask(clone, 0x01200011)).toBe(ALLOW); // fork
    expect(ask(clone, 0x003d0f00)).toBe(ALLOW); // a thread
    for (const flag of [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000]) {
      expect(ask(clone, flag | 17)).toBe(EPERM);
    }
    expect(ask(435)).toBe(ENOSYS);
  });

  it('lets a terminal be used but not typed into', () => {
    expect(ask(number(16, 29), 0, 0x5401)).toBe(ALLOW);
    expect(ask(number(16, 29), 0, 0x5412)).toBe(EPERM);
  });

  it('refuses the socket families that a network namespace does not hold', () => {
    expect([1, 2, 10, 16].map((family) => ask(number(41, 198), family))).toEqual([
      ALLOW,
      ALLOW,
      ALLOW,
      ALLOW,
    ]);
    // AF_AX25, AF_PACKET, AF_CAN, AF_TIPC, AF_BLUETOOTH, AF_ALG, AF_VSOCK, AF_XDP, one to come
    expect([3, 17, 29, 30, 31, 38, 40, 44, 99].map((family) => ask(number(41, 198), family))).toEqual(
      Array(9).fill(EAFNOSUPPORT),
    );
  });

  it('spares everyone at once, the first process and the hands from signals', () => {
    expect([-1, 1, 2, -2].map((pid) => ask(number(62, 129), pid, 9))).toEqual([EPERM, EPERM, EPERM, EPERM]);
    expect([0, 3, 100, -100].map((pid) => ask(number(62, 129), pid, 9))).toEqual([
      ALLOW,
      ALLOW,
      ALLOW,
      ALLOW,
    ]);
  });

  it('refuses calls of another processor', () => {
    expect(verdict(program, { arch: 0x40000003, nr: 1 })).toBe(EPERM); // i386
    if (processor === 'x64') expect(ask(0x40000001)).toBe(EPERM); // x32
  });
});

it('has no filter for a processor without a table', () => {
  expect(() => seccompFilter(UNCHARGED, 'riscv64')).toThrow(/riscv64/);
});

it.skipIf(!existsSync('/usr/include/x86_64-linux-gnu/asm/unistd_64.h'))(
  'has the numbers of the headers of this machine, as far as those go',
  () => {
    const header = readFileSync('/usr/include/x86_64-linux-gnu/asm/unistd_64.h', 'utf8');
    const numbers = new Map(
      [...header.matchAll(/^#define __NR_(\w+) (\d+)$/gm)].map(([, name, nr]) => [name, Number(nr)]),
    );
    const ours = [...allowedCalls('x64', { memoryIsCharged: true }), ...deniedCalls('x64')];

    expect(ours.filter(([name, nr]) => (numbers.get(name) ?? nr) !== nr)).toEqual([]);
  },
);
