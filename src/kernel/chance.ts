/** Chance is a port: what decides by it, or makes a name of it, can be given the same chance again (docs/adr/0017-simulation.md). */
import { randomBytes } from 'node:crypto';

export interface Chance {
  /** In [0, 1). */
  random(): number;
  /** As hex digits, two per byte. */
  hex(bytes: number): string;
}

export const systemChance: Chance = {
  random: () => Math.random(),
  hex: (bytes) => randomBytes(bytes).toString('hex'),
};
