/** Commands that take the disk: reservations, holes, many small files, deep folders, links, files that are deleted and still open. */
import type { Ground } from '../ground.ts';
import { commandAction } from '../command-action.ts';
import type { Kind } from '../kind.ts';

const TIMEOUT_MS = 8_000;

/** `gib`: how much is asked for in all. */
const COMMANDS: Readonly<Record<string, (gib: number) => string>> = {
  reservations: (gib) => `for i in $(seq ${gib}); do fallocate -l 1G f$i || break; done; sleep 1`,
  'reservations by posix_fallocate': (gib) =>
    `/usr/bin/python3 -c 'import os\nfor i in range(${gib}):\n  f=os.open("p%d"%i,os.O_CREAT|os.O_RDWR); os.posix_fallocate(f,0,1<<30); os.close(f)'`,
  'reservations that keep the size': (gib) =>
    `for i in $(seq ${gib}); do fallocate -n -l 1G k$i || break; done; sleep 1`,
  'a file of holes': () =>
    'truncate -s 4T holes; printf 1 | dd of=holes bs=1 seek=1000000 conv=notrunc 2>/dev/null; for i in 1 2 3; do ln -f holes l$i; done',
  'many files of holes': () => 'for i in $(seq 500); do truncate -s 1G h$i; done',
  'what is written fast': (gib) => `for i in $(seq ${gib}); do head -c 900M /dev/zero > w$i & done; wait`,
  'what is deleted and open': () =>
    'perl -e \'my @f; for my $n (1 .. 8) { open my $f, ">", "d$n"; push @f, $f; unlink "d$n"; syswrite($f, "x" x (16 << 20)) for 1 .. 50 } sleep 3\'',
  'many empty files': () =>
    'perl -e \'mkdir "e"; for my $n (1 .. 600000) { open my $f, ">", "e/$n" or die $! }\'',
  'folders in folders': () => 'perl -e \'for (1 .. 20000) { mkdir "d"; chdir "d" or die $! }\'',
  'many links': () => 'touch one; mkdir -p many; for i in $(seq 20000); do ln one many/$i; done',
  'times and names that are odd': () =>
    'touch -d 1901-01-01 old; touch -d 2400-01-01 far; perl -e \'open my $f, ">", join "", map chr, 1 .. 46; mkfifo\' ; mkfifo pipe; ln -s / root; ln -s loop loop',
};

const ACTIONS = Object.fromEntries(
  Object.entries(COMMANDS).map(([name, command]) => [
    name,
    ({ hogMib }: Ground) => command(Math.ceil(hogMib / 1024)),
  ]),
);

export const diskHogs: Kind = {
  name: 'disk hogs',
  attacks: 'commands that reserve, fill and litter the disk',
  atOnce: 1,
  few: 2,
  takesCpu: true,
  action: (dice, ground) =>
    commandAction({ dice, ground, timeoutMs: TIMEOUT_MS }, ACTIONS, 'rm -rf /workspace/*'),
};
