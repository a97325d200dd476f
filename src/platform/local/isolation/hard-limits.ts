/**
 * What prlimit(1) can be asked for here: nobody inside may raise a limit over the hard one that this process has, and a unit whose limit
 * cannot be set does not start. Where the server was given less (`ulimit -n`), its units have that.
 */
import { readFileSync } from 'node:fs';

/** Options of prlimit(1), and the lines of /proc/self/limits (proc(5)). */
const NAMES: Readonly<Record<string, string>> = {
  nofile: 'Max open files',
  nproc: 'Max processes',
  fsize: 'Max file size',
  data: 'Max data size',
  core: 'Max core file size',
};

/** An option of prlimit(1) as it is, or with the hard limit that `limits`, the text of /proc/self/limits, has for it. */
export function withinHardLimit(option: string, limits: string = ownLimits()): string {
  const [, name = '', wanted] = /^--(\w+)=(\d+)$/.exec(option) ?? [];
  const line = limits.split('\n').find((it) => it.startsWith(`${NAMES[name]} `));
  const hard = Number(/(\d+|unlimited)\s+(\d+|unlimited)\s/.exec(line ?? '')?.[2]);
  return hard < Number(wanted) ? `--${name}=${hard}` : option; // not a number: unlimited, or not known
}

function ownLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return ''; // without a descriptor for it, nothing can be started anyway
  }
}
