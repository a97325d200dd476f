/** Looks at other processes through /proc, as someone would who has broken into one of them. */
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { eventually } from './eventually.ts';

const CHUNK_BYTES = 4 * 1024 * 1024;

/** Process ids of everything that `pid` started, directly or not. */
export function descendants(pid: number): readonly number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const parent = /^\d+$/.test(name) ? parentOf(Number(name)) : undefined;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found: number[] = [];
  for (let next = [pid]; next.length > 0; ) {
    next = next.flatMap((it) => children.get(it) ?? []);
    found.push(...next);
  }
  return found;
}

/** What a server has launched and what that has started: the test fails when any of it outlives the server. */
export class Launched {
  readonly #server: number;
  readonly #known = new Map<number, string>();

  /** Look while it lives: what is in the open and loses its parent is not found by a mark. */
  constructor(server: number) {
    this.#server = server;
    this.#look();
  }

  get size(): number {
    return this.#known.size;
  }

  /** Resolves when all of it has ended; fails with what is left. */
  async ends(): Promise<void> {
    await eventually('nothing that the server launched is left', () => {
      this.#look();
      const left = [...this.#known].filter(([pid, startedAt]) => startOf(pid) === startedAt);
      if (left.length > 0) throw new Error(left.map(([pid]) => `${pid} ${commandLine(pid)}`).join('\n'));
      return true;
    });
  }

  #look(): void {
    const mark = new RegExp(`(?:^|[\\0=])holdfast-[^\\0-]+-${this.#server}(?:\\0|$)`);
    const marked = readdirSync('/proc').filter(
      (pid) =>
        /^\d+$/.test(pid) &&
        (mark.test(read(`/proc/${pid}/cmdline`)) || mark.test(read(`/proc/${pid}/environ`))),
    );
    for (const pid of [this.#server, ...marked.map(Number)].flatMap((it) => [it, ...descendants(it)])) {
      const startedAt = startOf(pid);
      if (pid !== this.#server && startedAt !== undefined) this.#known.set(pid, startedAt);
    }
  }
}

/** SIGKILL to one process; false when it had ended by itself. */
export function kill(pid: number | undefined): boolean {
  if (pid === undefined || pid <= 1) throw new Error(`There is no process ${pid} to kill.`); // 0 would be our own group
  try {
    process.kill(pid, 'SIGKILL');
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    return false;
  }
}

export function isAlive(pid: number | undefined): boolean {
  if (pid === undefined || pid <= 1) throw new Error(`There is no process ${pid} to look at.`);
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export function commandLine(pid: number): string {
  return read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');
}

/** Which of environment, command line and memory of the process hold `secret`. */
export function holds(pid: number, secret: string): readonly string[] {
  const places = ['environ', 'cmdline'].filter((file) => read(`/proc/${pid}/${file}`).includes(secret));
  return memoryHolds(pid, Buffer.from(secret)) ? [...places, 'memory'] : places;
}

function memoryHolds(pid: number, secret: Buffer): boolean {
  const ranges = read(`/proc/${pid}/maps`)
    .split('\n')
    .filter((line) => / rw?-?.{2} /.test(` ${line.split(' ')[1] ?? ''} `) && !line.includes('[v'))
    .map((line) => (line.split(' ')[0] ?? '').split('-').map((hex) => Number.parseInt(hex, 16)));
  const memory = openMemory(pid);
  if (memory === undefined) return false; // it has ended
  const chunk = Buffer.alloc(CHUNK_BYTES + secret.length);
  try {
    return ranges.some(([from = 0, to = 0]) => {
      for (let at = from; at < to; at += CHUNK_BYTES) {
        const bytes = readAt(memory, chunk, Math.min(to - at, chunk.length), at);
        if (chunk.subarray(0, bytes).includes(secret)) return true;
      }
      return false;
    });
  } finally {
    closeSync(memory);
  }
}

function openMemory(pid: number): number | undefined {
  try {
    return openSync(`/proc/${pid}/mem`, 'r');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}

function readAt(memory: number, chunk: Buffer, length: number, at: number): number {
  try {
    return readSync(memory, chunk, 0, length, at);
  } catch {
    return 0; // a page that cannot be read holds nothing for anyone
  }
}

/** In ticks of the kernel; undefined of what is not there, or dead and not yet looked at by its parent. */
function startOf(pid: number): string | undefined {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

function parentOf(pid: number): number | undefined {
  const parent = /\nPPid:\s+(\d+)/.exec(read(`/proc/${pid}/status`))?.[1];
  return parent === undefined ? undefined : Number(parent);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // it has ended
  }
}
