/**
 * HEAP-1 what is not used any more is freed before it is a fraction of what is: on a machine with much memory V8 lets the heap grow to four
 *    times what was alive, so that a bound of what is held (api/graphql/outgoing.ts) would be a fourth of what the process takes. So is what
 *    has just been made: V8 keeps up to 192 MiB for it there, and as much again for what is large.
 */
import { setFlagsFromString } from 'node:v8';

/** Growth of the heap, in percent of what was alive, until it is looked through again. More would be the most of the memory under a flood. */
const GROWTH_PERCENT = 20;

/**
 * Flags with which the server's process is started (package.json): V8 reads this one once. MiB of a half of the space for what has just been
 * made, the default of a smaller machine.
 */
export const HEAP_FLAGS: readonly string[] = ['--max-semi-space-size=16'];

/** For the whole process, before it holds much. */
export function keepHeapSmall(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`); // src/heap/memory-controller (V8 13.6)
}
