/** The texts of a JSON value, one after the other: an answer that does not come as a stream may be cut into blocks at any place. */
import type { Pieces } from './key-pieces.ts';

/** Deeper ones are looked at as a text only: no answer has them, and each level is one of the stack. */
const DEPTH_MAX = 200;
/** Names of fields that are told apart; a message has less than ten with texts. */
const NAMES_MAX = 64;

/** The value without what the pieces take out, as JSON; undefined: nothing is to be taken out of it, or it is no JSON. */
export function scrubbedTexts(json: string, pieces: () => Pieces): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return undefined;
  }
  const byName = new Map<string, Pieces>();
  let found = false;
  const scrub = (name: string, text: string): string => {
    const before = byName.get(name);
    const own = before?.follow() ?? pieces(); // what one text ends with, the next of that name may go on with
    if (before !== undefined || byName.size < NAMES_MAX) byName.set(name, own);
    const clean = own.push(text) + own.flush();
    found ||= own.found;
    return clean;
  };
  const scrubbed = (name: string, part: unknown, depth: number): unknown => {
    if (typeof part === 'string') return scrub(name, part);
    if (typeof part !== 'object' || part === null || depth > DEPTH_MAX) return part;
    if (Array.isArray(part)) return part.map((item) => scrubbed(name, item, depth + 1));
    return Object.fromEntries(
      Object.entries(part).map(([field, item]) => [field, scrubbed(field, item, depth + 1)]),
    );
  };
  const clean = scrubbed('', value, 0);
  return found ? JSON.stringify(clean) : undefined;
}
