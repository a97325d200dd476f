/** Checks of text that comes from outside; each throws InvalidInput naming the field and what was expected. */
import { InvalidInput } from './fault.ts';

/** Text of at most `bytesMax` bytes in UTF-8, not blank. Half of a surrogate pair becomes U+FFFD (well-formed.ts). */
export function parseText(field: string, text: string, bytesMax: number): string {
  if (text.trim() === '') throw new InvalidInput(field, 'expected some text.');
  const bytes = Buffer.byteLength(text);
  if (bytes > bytesMax) throw new InvalidInput(field, `expected at most ${bytesMax} bytes, got ${bytes}.`);
  return text.toWellFormed();
}

/** The name of something. Half of a character is refused: all halves look alike once stored. */
export function parseName(field: string, text: string, bytesMax: number): string {
  if (!text.isWellFormed()) throw new InvalidInput(field, 'expected whole characters, got half of one.');
  return parseText(field, text, bytesMax);
}

/** One of `choices`, as it is written there. */
export function parseChoice<const T extends string>(field: string, text: string, choices: readonly T[]): T {
  const choice = choices.find((candidate) => candidate === text);
  if (choice === undefined) throw new InvalidInput(field, `expected one of ${choices.join(', ')}.`);
  return choice;
}

/** A whole number from `least` to `most`; undefined stays undefined. */
export function parseCount(
  field: string,
  value: number | undefined,
  least: number,
  most: number,
): number | undefined {
  if (value === undefined) return undefined;
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    throw new InvalidInput(field, `expected a whole number from ${least} to ${most}.`);
  }
  return value;
}
