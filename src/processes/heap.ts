/**
 * HEAP-1 what is not used any more is freed before it is a fraction of what is: on a machine with much memory V8 lets the heap grow to four
 *    times what was alive, so that a bound of what is held (api/graphql/outgoing.ts) would be a fourth of what the process takes.
 */
import { setFlagsFromString } from 'node:v8';

/** Growth of the heap, in percent of what was alive, until it is looked through again. More would be the most of the memory under a flood. */
const GROWTH_PERCENT = 20;

/** For the whole process, before it holds much. */
export function keepHeapSmall(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`); // src/heap/memory-controller (V8 13.6)
}
