/**
 * A seccomp filter as bytes: classic BPF that refuses the system calls with which a process could leave its enclosure or
 * look into others. Refused calls fail with EPERM; clone3 fails with ENOSYS, so that libc falls back to clone, whose
 * flags a filter can read. Everything else is allowed. Numbers: linux/arch/x86/entry/syscalls/syscall_64.tbl and
 * include/uapi/asm-generic/unistd.h.
 */
import { assert } from '../../kernel/assert.ts';

interface Architecture {
  /** AUDIT_ARCH_*, linux/audit.h. */
  readonly audit: number;
  readonly clone: number;
  readonly ioctl: number;
  readonly denied: Readonly<Record<string, number>>;
}

/** The same numbers on every architecture that has them (424 and later). */
const COMMON = {
  io_uring_setup: 425,
  io_uring_enter: 426,
  io_uring_register: 427,
  open_tree: 428,
  move_mount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  fspick: 433,
  pidfd_getfd: 438,
  mount_setattr: 442,
};
const CLONE3 = 435;

const X64: Architecture = {
  audit: 0xc000003e,
  clone: 56,
  ioctl: 16,
  denied: {
    ptrace: 101, syslog: 103, vhangup: 153, pivot_root: 155, adjtimex: 159, chroot: 161, acct: 163, settimeofday: 164,
    mount: 165, umount2: 166, swapon: 167, swapoff: 168, reboot: 169, sethostname: 170, setdomainname: 171, iopl: 172,
    ioperm: 173, init_module: 175, delete_module: 176, quotactl: 179, clock_settime: 227, mbind: 237, set_mempolicy: 238,
    kexec_load: 246, add_key: 248, request_key: 249, keyctl: 250, migrate_pages: 256, unshare: 272, move_pages: 279,
    perf_event_open: 298, name_to_handle_at: 303, open_by_handle_at: 304, clock_adjtime: 305, setns: 308,
    process_vm_readv: 310, process_vm_writev: 311, kcmp: 312, finit_module: 313, kexec_file_load: 320, bpf: 321,
    userfaultfd: 323, ...COMMON,
  },
};
const ARM64: Architecture = {
  audit: 0xc00000b7,
  clone: 220,
  ioctl: 29,
  denied: {
    umount2: 39, mount: 40, pivot_root: 41, chroot: 51, vhangup: 58, quotactl: 60, acct: 89, unshare: 97, kexec_load: 104,
    init_module: 105, delete_module: 106, clock_settime: 112, syslog: 116, ptrace: 117, reboot: 142, sethostname: 161,
    setdomainname: 162, settimeofday: 170, adjtimex: 171, add_key: 217, request_key: 218, keyctl: 219, swapon: 224,
    swapoff: 225, mbind: 235, set_mempolicy: 237, migrate_pages: 238, move_pages: 239, perf_event_open: 241,
    name_to_handle_at: 264, open_by_handle_at: 265, clock_adjtime: 266, setns: 268, process_vm_readv: 270,
    process_vm_writev: 271, kcmp: 272, finit_module: 273, bpf: 280, userfaultfd: 282, kexec_file_load: 294, ...COMMON,
  },
};

// struct seccomp_data: nr at 0, arch at 4, then eight bytes per argument from 16; low halves first on both machines.
const NR = 0;
const ARCH = 4;
const ARGUMENT = (index: number): number => 16 + 8 * index;
const LOAD = 0x20;
const EQUALS = 0x15;
const AT_LEAST = 0x35;
const ANY_BIT = 0x45;
const RETURN = 0x06;
const ALLOW = 0x7fff0000;
const KILL = 0x80000000;
const EPERM = 0x00050001;
const ENOSYS = 0x00050026;
/** Numbers from here on are the x32 interface: a second table that the first one does not cover. */
const X32 = 0x40000000;
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const NEW_NAMESPACES = 0x7e020000;
/** Pushing characters into a terminal, and its console cousin. */
const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;

type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, value: number];

/** The filter for `process.arch`, or undefined where there is no table for it. */
export function seccompFilter(arch: string): Buffer | undefined {
  const table = arch === 'x64' ? X64 : arch === 'arm64' ? ARM64 : undefined;
  return table === undefined ? undefined : assemble(program(table, arch === 'x64'));
}

function program(table: Architecture, hasX32: boolean): readonly Instruction[] {
  const when = (test: number, value: number, verdict: number): Instruction[] => [
    [test, 0, 1, value],
    [RETURN, 0, 0, verdict],
  ];
  const argument = (nr: number, index: number, checks: readonly Instruction[]): Instruction[] => [
    [EQUALS, 0, checks.length + 2, nr], // another call: past the checks and the reload
    [LOAD, 0, 0, ARGUMENT(index)],
    ...checks,
    [LOAD, 0, 0, NR],
  ];
  return [
    [LOAD, 0, 0, ARCH],
    [EQUALS, 1, 0, table.audit],
    [RETURN, 0, 0, KILL],
    [LOAD, 0, 0, NR],
    ...(hasX32 ? when(AT_LEAST, X32, EPERM) : []),
    ...when(EQUALS, CLONE3, ENOSYS),
    ...Object.values(table.denied).flatMap((nr) => when(EQUALS, nr, EPERM)),
    ...argument(table.clone, 0, when(ANY_BIT, NEW_NAMESPACES, EPERM)),
    ...argument(table.ioctl, 1, [...when(EQUALS, TIOCSTI, EPERM), ...when(EQUALS, TIOCLINUX, EPERM)]),
    [RETURN, 0, 0, ALLOW],
  ];
}

/** struct sock_filter: u16 code, u8 jt, u8 jf, u32 k. */
function assemble(instructions: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(instructions.length * 8);
  for (const [at, [code, jumpTrue, jumpFalse, value]] of instructions.entries()) {
    assert(jumpTrue < 256 && jumpFalse < 256, 'jumps of a BPF program fit into a byte');
    bytes.writeUInt16LE(code, at * 8);
    bytes.writeUInt8(jumpTrue, at * 8 + 2);
    bytes.writeUInt8(jumpFalse, at * 8 + 3);
    bytes.writeUInt32LE(value, at * 8 + 4);
  }
  return bytes;
}
