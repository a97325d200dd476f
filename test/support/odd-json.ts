/** JSON as nobody expects it and anybody may send it: for what must come back as it was given. */
import type { Random } from './random.ts';

/** Halves of pairs, zero bytes, what ends a line or a script, what databases and JavaScript read as something else. */
export const ODD_TEXTS = [
  '',
  ' ',
  'a\ud83d',
  '\ude00b',
  '\ude00\ud83d',
  '😀'.repeat(9),
  'nul \u0000 in it',
  '\u2028\u2029\ufeff\ufffe',
  '\u0001\u001b\u007f\u0085',
  '"\\"\\\\ud83d',
  'e\u0301 \u00e9',
  '$set',
  'a.b.c',
  '$$ROOT',
  '__proto__',
  'constructor',
  '_bsontype',
  'ObjectId',
  'toJSON',
  '0',
  '\ud83d'.repeat(99),
] as const;

const ODD_VALUES = [
  ...ODD_TEXTS,
  null,
  true,
  false,
  0,
  -1,
  1.5,
  5e-324,
  1.7976931348623157e308,
  2 ** 31,
  2 ** 53,
  -(2 ** 63),
  0.1 + 0.2,
] as const;

/** Of at most `levels` levels. */
export function oddJson(random: Random, levels = 5): unknown {
  const size = random.below(5);
  switch (levels === 0 ? 0 : random.below(3)) {
    case 0:
      return random.pick(ODD_VALUES);
    case 1:
      return Array.from({ length: size }, () => oddJson(random, levels - 1));
    default:
      return oddObject(random, levels, size);
  }
}

export function oddObject(random: Random, levels = 5, size = 4): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Array.from({ length: size }, () => [random.pick(ODD_TEXTS), oddJson(random, levels - 1)]),
  );
}
