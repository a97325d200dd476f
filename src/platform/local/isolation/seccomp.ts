/**
 * Which system calls programs inside the isolation may make, as a seccomp filter in the bytes that bubblewrap takes.
 *
 * SECCOMP-1 A list of what is allowed (system-calls.ts): a call that nobody has thought about, of this kernel or of one to come, is
 *    answered ENOSYS, as a kernel without it would, so that callers fall back.
 *
 * Not on it is what widens the kernel's attack surface (namespaces, mounts, bpf, io_uring, keys, ...), what looks into other processes, and
 * what would end the hands by accident (`kill -9 -1`). Of that, what programs try and go on without is told EPERM by name.
 */
import { endianness } from 'node:os';
import { assert, must } from '../../../kernel/assert.ts';
import { allowedCalls, type Processor } from './system-calls.ts';

type Arch = Processor;

/** Refused with EPERM. Numbers of x86_64 (asm/unistd_64.h) and arm64 (asm-generic/unistd.h). */
const DENIED: Readonly<Record<string, Readonly<Record<Arch, number>>>> = {
  ptrace: { x64: 101, arm64: 117 },
  process_vm_readv: { x64: 310, arm64: 270 },
  process_vm_writev: { x64: 311, arm64: 271 },
  kcmp: { x64: 312, arm64: 272 },
  pidfd_getfd: { x64: 438, arm64: 438 },
  mount: { x64: 165, arm64: 40 },
  umount2: { x64: 166, arm64: 39 },
  pivot_root: { x64: 155, arm64: 41 },
  chroot: { x64: 161, arm64: 51 },
  open_tree: { x64: 428, arm64: 428 },
  move_mount: { x64: 429, arm64: 429 },
  fsopen: { x64: 430, arm64: 430 },
  fsconfig: { x64: 431, arm64: 431 },
  fsmount: { x64: 432, arm64: 432 },
  fspick: { x64: 433, arm64: 433 },
  mount_setattr: { x64: 442, arm64: 442 },
  open_tree_attr: { x64: 467, arm64: 467 },
  unshare: { x64: 272, arm64: 97 },
  setns: { x64: 308, arm64: 268 },
  name_to_handle_at: { x64: 303, arm64: 264 },
  open_by_handle_at: { x64: 304, arm64: 265 },
  fanotify_init: { x64: 300, arm64: 262 },
  quotactl: { x64: 179, arm64: 60 },
  quotactl_fd: { x64: 443, arm64: 443 },
  keyctl: { x64: 250, arm64: 219 },
  add_key: { x64: 248, arm64: 217 },
  request_key: { x64: 249, arm64: 218 },
  bpf: { x64: 321, arm64: 280 },
  perf_event_open: { x64: 298, arm64: 241 },
  userfaultfd: { x64: 323, arm64: 282 },
  io_uring_setup: { x64: 425, arm64: 425 },
  io_uring_enter: { x64: 426, arm64: 426 },
  io_uring_register: { x64: 427, arm64: 427 },
  init_module: { x64: 175, arm64: 105 },
  finit_module: { x64: 313, arm64: 273 },
  delete_module: { x64: 176, arm64: 106 },
  kexec_load: { x64: 246, arm64: 104 },
  kexec_file_load: { x64: 320, arm64: 294 },
  reboot: { x64: 169, arm64: 142 },
  swapon: { x64: 167, arm64: 224 },
  swapoff: { x64: 168, arm64: 225 },
  acct: { x64: 163, arm64: 89 },
  settimeofday: { x64: 164, arm64: 170 },
  clock_settime: { x64: 227, arm64: 112 },
  syslog: { x64: 103, arm64: 116 },
  vhangup: { x64: 153, arm64: 58 },
  mbind: { x64: 237, arm64: 235 },
  set_mempolicy: { x64: 238, arm64: 237 },
  migrate_pages: { x64: 256, arm64: 238 },
  move_pages: { x64: 279, arm64: 239 },
};
/** Denied on x86_64; arm64 never had them. */
const DENIED_X64 = {
  iopl: 172,
  ioperm: 173,
  modify_ldt: 154,
  uselib: 134,
  nfsservctl: 180,
  lookup_dcookie: 212,
};

const CLONE: Readonly<Record<Arch, number>> = { x64: 56, arm64: 220 };
const IOCTL: Readonly<Record<Arch, number>> = { x64: 16, arm64: 29 };
const SOCKET: Readonly<Record<Arch, number>> = { x64: 41, arm64: 198 };
const KILL: Readonly<Record<Arch, number>> = { x64: 62, arm64: 129 };
const FALLOCATE: Readonly<Record<Arch, number>> = { x64: 285, arm64: 47 };
const PERSONALITY: Readonly<Record<Arch, number>> = { x64: 135, arm64: 92 };
const AUDIT_ARCH: Readonly<Record<Arch, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 };

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const CLONE_NEW = 0x7e020000;
/** TIOCSTI types into a terminal, TIOCLINUX pastes into one. */
const TERMINAL_INPUT = [0x5412, 0x541c];
/**
 * FS_IOC_RESVSP, FS_IOC_RESVSP64, FS_IOC_ZERO_RANGE of linux/falloc.h: fallocate by another door, on every file system (fs/ioctl.c); and
 * XFS_IOC_ALLOCSP, XFS_IOC_ALLOCSP64 of older XFS.
 */
const RESERVATIONS = [0x40305828, 0x4030582a, 0x40305839, 0x4030580a, 0x40305824];
/** AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK. Others are kernel surface, or reach past the network namespace (AF_VSOCK). */
const FAMILIES = [0, 1, 2, 10, 16];
/** FALLOC_FL_PUNCH_HOLE: it gives room back. Every other mode takes room in no time, before the limit of the workspace is looked at. */
const PUNCH_HOLE = 0x02;
/** What Docker allows (PER_LINUX, PER_LINUX32, UNAME26, both, to ask), and ADDR_NO_RANDOMIZE, which sanitizers want. */
const PERSONALITIES = [0, 8, 0x20000, 0x20008, 0x40000, 0xffffffff];
/** Everyone; the namespace's first process; its second, which is the program that was launched; their groups. */
const PROTECTED_PIDS = [-1, 1, 2, -2];
/** x32 system calls on x86_64 carry this bit. */
const X32_BIT = 0x40000000;

// linux/bpf_common.h, linux/seccomp.h: offsets in struct seccomp_data, opcodes, return values.
const OFFSET_NR = 0;
const OFFSET_ARCH = 4;
const OFFSET_ARG0 = 16;
const OFFSET_ARG1 = 24;
const LOAD_WORD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_AT_LEAST = 0x35;
const JUMP_BITS = 0x45;
const RETURN = 0x06;
const ALLOW = 0x7fff0000;
const ERRNO = 0x00050000;
const EPERM = 1;
const ENOSYS = 38;
const EOPNOTSUPP = 95;
const EAFNOSUPPORT = 97;
const INSTRUCTION_BYTES = 8;

interface Instruction {
  readonly code: number;
  readonly value: number;
  readonly ifTrue: number;
  readonly ifFalse: number;
}

/** The filter for this machine's processor; throws where there is no table for it. `memoryIsCharged`: see allowedCalls. */
export function seccompFilter(
  { memoryIsCharged }: { readonly memoryIsCharged: boolean },
  arch: string = process.arch,
): Buffer {
  assert(arch === 'x64' || arch === 'arm64', `there is a table of system calls for ${arch}`);
  assert(endianness() === 'LE', 'the processors of the tables are little-endian');
  return encode([
    load(OFFSET_ARCH),
    ...unlessOneOf([AUDIT_ARCH[arch]], EPERM),
    load(OFFSET_NR),
    ...(arch === 'x64' ? when(JUMP_AT_LEAST, X32_BIT, EPERM) : []),
    ...numbers(arch).flatMap((number) => when(JUMP_EQUAL, number, EPERM)),
    ...argument(CLONE[arch], OFFSET_ARG0, when(JUMP_BITS, CLONE_NEW, EPERM)),
    ...argument(
      IOCTL[arch],
      OFFSET_ARG1,
      TERMINAL_INPUT.flatMap((request) => when(JUMP_EQUAL, request, EPERM)),
    ),
    ...argument(
      IOCTL[arch],
      OFFSET_ARG1,
      RESERVATIONS.flatMap((request) => when(JUMP_EQUAL, request, EOPNOTSUPP)),
    ),
    // posix_fallocate of glibc writes instead when it is told this; that of musl hands it on (posix_fallocate(3))
    ...argument(FALLOCATE[arch], OFFSET_ARG1, unless(JUMP_BITS, PUNCH_HOLE, EOPNOTSUPP)),
    ...argument(SOCKET[arch], OFFSET_ARG0, unlessOneOf(FAMILIES, EAFNOSUPPORT)),
    ...argument(PERSONALITY[arch], OFFSET_ARG0, unlessOneOf(PERSONALITIES, EPERM)),
    ...argument(
      KILL[arch],
      OFFSET_ARG0,
      PROTECTED_PIDS.flatMap((pid) => when(JUMP_EQUAL, pid, EPERM)),
    ),
    ...rangesOf([...allowedCalls(arch, { memoryIsCharged }).values()]).flatMap(allow),
    refuse(ENOSYS), // SECCOMP-1
  ]);
}

/** For tests: name and number of every call that is denied whatever its arguments are. */
export function deniedCalls(arch: Arch): ReadonlyMap<string, number> {
  const both = Object.entries(DENIED).map(([name, number]) => [name, number[arch]] as const);
  return new Map(arch === 'x64' ? [...both, ...Object.entries(DENIED_X64)] : both);
}

function numbers(arch: Arch): readonly number[] {
  return [...deniedCalls(arch).values()];
}

function load(offset: number): Instruction {
  return { code: LOAD_WORD, value: offset, ifTrue: 0, ifFalse: 0 };
}

function refuse(errno: number): Instruction {
  return { code: RETURN, value: ERRNO | errno, ifTrue: 0, ifFalse: 0 };
}

function when(code: number, value: number, errno: number): readonly Instruction[] {
  return [{ code, value, ifTrue: 0, ifFalse: 1 }, refuse(errno)];
}

function unless(code: number, value: number, errno: number): readonly Instruction[] {
  return [{ code, value, ifTrue: 1, ifFalse: 0 }, refuse(errno)];
}

function unlessOneOf(values: readonly number[], errno: number): readonly Instruction[] {
  const tests = values.map((value, n) => ({
    code: JUMP_EQUAL,
    value,
    ifTrue: values.length - n,
    ifFalse: 0,
  }));
  return [...tests, refuse(errno)];
}

interface Range {
  readonly from: number;
  readonly to: number;
}

/** Numbers that follow each other, so that the filter is short. */
function rangesOf(calls: readonly number[]): readonly Range[] {
  return calls
    .toSorted((a, b) => a - b)
    .reduce<readonly Range[]>((ranges, number) => {
      const last = ranges.at(-1);
      return last?.to === number - 1
        ? [...ranges.slice(0, -1), { from: last.from, to: number }]
        : [...ranges, { from: number, to: number }];
    }, []);
}

function allow({ from, to }: Range): readonly Instruction[] {
  return [
    { code: JUMP_AT_LEAST, value: from, ifTrue: 0, ifFalse: 2 },
    { code: JUMP_AT_LEAST, value: to + 1, ifTrue: 1, ifFalse: 0 },
    { code: RETURN, value: ALLOW, ifTrue: 0, ifFalse: 0 },
  ];
}

/** `checks` on the low word of an argument of one call; the accumulator holds the call's number again afterwards. */
function argument(number: number, offset: number, checks: readonly Instruction[]): readonly Instruction[] {
  const body = [load(offset), ...checks, load(OFFSET_NR)];
  return [{ code: JUMP_EQUAL, value: number, ifTrue: 0, ifFalse: body.length }, ...body];
}

function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * INSTRUCTION_BYTES);
  for (const index of program.keys()) {
    const { code, value, ifTrue, ifFalse } = must(program[index], 'the index is one of the program');
    const at = index * INSTRUCTION_BYTES;
    bytes.writeUInt16LE(code, at);
    bytes.writeUInt8(ifTrue, at + 2);
    bytes.writeUInt8(ifFalse, at + 3);
    bytes.writeUInt32LE(value >>> 0, at + 4);
  }
  return bytes;
}
