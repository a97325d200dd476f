/** Sorts the names in a folder by bytes, a piece at a time: half a million at once would stop everything else of the process for a second. */
import { setImmediate } from 'node:timers/promises';

/** Some milliseconds of work. */
const SORTED_AT_ONCE = 10_000;

export async function sortedNames(names: readonly Buffer[]): Promise<Buffer[]> {
  let runs: Buffer[][] = [];
  for (let at = 0; at < names.length; at += SORTED_AT_ONCE) {
    if (at > 0) await setImmediate();
    runs.push(names.slice(at, at + SORTED_AT_ONCE).sort(Buffer.compare));
  }
  while (runs.length > 1) {
    const merged: Buffer[][] = [];
    for (let at = 0; at < runs.length; at += 2) merged.push(await merge(runs[at] ?? [], runs[at + 1] ?? []));
    runs = merged;
  }
  return runs[0] ?? [];
}

async function merge(left: readonly Buffer[], right: readonly Buffer[]): Promise<Buffer[]> {
  const merged: Buffer[] = [];
  let [l, r] = [0, 0];
  for (;;) {
    const [a, b] = [left[l], right[r]];
    if (a === undefined || b === undefined) break;
    if (Buffer.compare(a, b) <= 0) {
      merged.push(a);
      l += 1;
    } else {
      merged.push(b);
      r += 1;
    }
    if (merged.length % SORTED_AT_ONCE === 0) await setImmediate();
  }
  return merged.concat(left.slice(l), right.slice(r));
}
