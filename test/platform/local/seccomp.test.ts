/** The filter as the kernel would run it, on both processors; that it is in force is seen in escapes.test.ts. */
import { describe, expect, it } from 'vitest';
import { deniedCalls, seccompFilter } from '../../../src/platform/local/isolation/seccomp.ts';

const ARCH = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;
const ALLOW = 0x7fff0000;
const EPERM = 0x50001;
const ENOSYS = 0x50026;
const EAFNOSUPPORT = 0x50061;

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
  const program = seccompFilter(processor);
  const arch = ARCH[processor];
  const number = (x64: number, arm64: number): number => (processor === 'x64' ? x64 : arm64);
  const ask = (nr: number, ...args: number[]): number => verdict(program, { arch, nr, args });

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
    expect([38, 40].map((family) => ask(number(41, 198), family))).toEqual([EAFNOSUPPORT, EAFNOSUPPORT]);
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
  expect(() => seccompFilter('riscv64')).toThrow(/riscv64/);
});
