/** Chance for a simulation: of the world as a whole, or of one thing by its name, which is the same whenever it is asked. */
import { randomOf } from '../support/random.ts';

export interface Dice {
  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number;
  /** In [0, 1). */
  fraction(): number;
  between(least: number, most: number): number;
  /** True with this probability. */
  hits(probability: number): boolean;
  pick<T>(values: readonly T[]): T;
}

export function diceOf(seed: number, ...name: readonly (string | number)[]): Dice {
  const random = randomOf(hashOf(`${seed}\n${name.join('\n')}`));
  const fraction = (): number => random.below(0x1_0000_0000) / 0x1_0000_0000;
  return {
    below: (limit) => random.below(limit),
    fraction,
    between: (least, most) => least + (most - least) * fraction(),
    hits: (probability) => probability > 0 && fraction() < probability,
    pick: (values) => values[random.below(values.length)] as (typeof values)[number], // below the length
  };
}

/** FNV-1a */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
