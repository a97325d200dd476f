/** A process and everything under it, as /proc shows it: how much CPU it has used, and what runs in it. */
import { readFileSync } from 'node:fs';
import { commandLine, descendants } from '../support/processes.ts';

/** Clock ticks, user and system. */
export function cpuTicks(pid: number): number {
  return [pid, ...descendants(pid)].reduce(
    (sum, it) => sum + Number(stat(it)[11] ?? 0) + Number(stat(it)[12] ?? 0),
    0,
  );
}

/** Direct children of `pid` that run `script`; a sandbox and what is in it are one. */
export function childrenThatRun(pid: number, script: string): readonly number[] {
  return descendants(pid).filter((it) => Number(stat(it)[1]) === pid && commandLine(it).includes(script));
}

/** Fields of proc(5) from the third on, the state: behind the name, which may hold anything. */
function stat(pid: number): readonly string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return []; // it has ended
  }
}
