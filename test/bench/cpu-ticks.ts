/** CPU that a process and everything under it has used, in clock ticks, from /proc. */
import { readFileSync } from 'node:fs';
import { descendants } from '../support/processes.ts';

export function cpuTicks(pid: number): number {
  return [pid, ...descendants(pid)].reduce((sum, it) => sum + ticksOf(it), 0);
}

function ticksOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // behind the name: state is field 3 of proc(5)
    const [utime, stime] = [fields[11], fields[12]];
    return Number(utime) + Number(stime);
  } catch {
    return 0; // it has ended
  }
}
