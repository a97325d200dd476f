/** Looks at other processes through /proc, as someone would who has broken into one of them. */
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';

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
