/**
 * Where a file has data. What lies between is a hole: it reads as zeros and takes no room, however long it is. Linux tells by lseek with
 * SEEK_DATA and SEEK_HOLE (lseek(2)), which Node does not offer, so a small program of the system is asked, with the descriptor that is open
 * here: perl, which Debian and Ubuntu always have, else Python 3. Where there is neither, or none answers, nobody knows: docs/adr/0019.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';

export interface DataRange {
  readonly start: number;
  readonly end: number;
}

/** Ranges in one answer: memory holds no more of a file with many holes. */
export const RANGES_AT_ONCE = 512;
/** Two numbers of up to 19 digits for each. */
const ANSWER_CHARS_MAX = RANGES_AT_ONCE * 2 * 20;
/** An answer is some seeks in what the kernel has in memory; a disk that is slower than this is read instead. */
const ANSWER_MS_MAX = 10_000;

/** Where systems have their programs: what a server was started with, its keys among it, is nobody else's business. */
const PATH = '/usr/local/bin:/usr/bin:/bin';

/** Both read lines of a descriptor and an offset, and answer each with a line of starts and ends, or with `no`. ENXIO is 6: no more data. */
const PERL = `$| = 1;
while (<STDIN>) {
  my ($fd, $at) = split; my $file; my @found; my $ok = 1;
  if (!open($file, '<', '/proc/' . getppid() . '/fd/' . $fd)) { print "no\\n"; next }
  while (@found < ${RANGES_AT_ONCE * 2}) {
    my $start = sysseek($file, $at, 3);
    if (!defined $start) { $ok = $! + 0 == 6; last }
    my $end = sysseek($file, $start, 4);
    if (!defined $end) { $ok = 0; last }
    push @found, $start + 0, $end + 0; $at = $end;
  }
  print $ok ? "@found\\n" : "no\\n";
}`;
const PYTHON = `import os, sys
for line in iter(sys.stdin.readline, ''):
    fd, at = line.split(); at = int(at); found = []; ok = True
    try:
        file = os.open('/proc/%d/fd/%s' % (os.getppid(), fd), os.O_RDONLY)
    except OSError:
        print('no', flush=True); continue
    while len(found) < ${RANGES_AT_ONCE * 2}:
        try:
            start = os.lseek(file, at, os.SEEK_DATA); at = os.lseek(file, start, os.SEEK_HOLE)
        except OSError as error:
            ok = error.errno == 6; break
        found += [start, at]
    os.close(file)
    print(' '.join(map(str, found)) if ok else 'no', flush=True)`;

export type Command = readonly [program: string, ...args: string[]];
export const COMMANDS: readonly Command[] = [
  ['perl', '-e', PERL],
  ['python3', '-I', '-S', '-c', PYTHON],
];

/** Asked for one file after the other; the program is started with the first question. */
export class DataRanges {
  readonly #commands: readonly Command[];
  #program: Promise<Program | undefined> | undefined;

  constructor(commands: readonly Command[] = COMMANDS) {
    this.#commands = commands;
  }

  /** The first RANGES_AT_ONCE at or after `from`; fewer when there are no more. Undefined when it is not known. */
  async after(fd: number, from: number): Promise<readonly DataRange[] | undefined> {
    this.#program ??= launch(this.#commands);
    const program = await this.#program;
    return rangesIn(await program?.ask(`${fd} ${from}`), from);
  }

  async close(): Promise<void> {
    (await this.#program)?.end();
  }
}

async function launch(commands: readonly Command[]): Promise<Program | undefined> {
  for (const [command, ...args] of commands) {
    try {
      const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'ignore'], cwd: '/', env: { PATH } });
      child.on('error', () => undefined); // the wait says so too, but what comes later has no other listener
      await once(child, 'spawn');
      return new Program(child);
    } catch {
      // there is no such program, or no descriptor or memory left for one: a save does without
    }
  }
  return undefined;
}

class Program {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  #said = '';
  #onAnswer: ((answer: string | undefined) => void) | undefined;
  #hasEnded = false;

  constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child;
    child.stdin.on('error', () => this.end()); // it has ended by itself
    child.stdout.setEncoding('latin1').on('data', (text: string) => this.#hear(text));
    child.on('close', () => this.end());
  }

  /** Undefined when there is no answer, now and from then on. */
  ask(question: string): Promise<string | undefined> {
    if (this.#hasEnded) return Promise.resolve(undefined);
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const timer = setTimeout(() => this.end(), ANSWER_MS_MAX);
    this.#onAnswer = resolve;
    this.#child.stdin.write(`${question}\n`);
    return promise.finally(() => clearTimeout(timer));
  }

  end(): void {
    this.#hasEnded = true;
    this.#child.kill('SIGKILL');
    this.#onAnswer?.(undefined);
  }

  #hear(text: string): void {
    this.#said += text;
    const end = this.#said.indexOf('\n');
    if (end === -1 && this.#said.length > ANSWER_CHARS_MAX) return this.end();
    if (end === -1) return;
    const answer = this.#said.slice(0, end);
    this.#said = '';
    this.#onAnswer?.(answer);
  }
}

/** Undefined for what no file can have. */
function rangesIn(answer: string | undefined, from: number): readonly DataRange[] | undefined {
  if (answer === undefined || answer === 'no') return undefined;
  const offsets = answer === '' ? [] : answer.split(' ').map(Number);
  const ranges: DataRange[] = [];
  let last = from;
  for (let at = 0; at < offsets.length; at += 2) {
    const [start = NaN, end = NaN] = offsets.slice(at, at + 2);
    if (!Number.isSafeInteger(end) || !(start >= last && end > start)) return undefined;
    ranges.push({ start, end });
    last = end;
  }
  return ranges;
}
