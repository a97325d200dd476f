/** JSON values that others wrote: how deep they are, and their texts made well-formed. */
import { JSON_DEPTH_MAX } from '../../kernel/limit.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** The value when it is a JSON object; a list is none. */
export function objectOf(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : undefined; // just checked
}

/** The text when it is one. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** Undefined when it is not JSON. Throws RangeError when it is nested until the stack ends. */
export function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/**
 * Whether a list or an object stands deeper than the journal takes it. Level by level, not by recursion: the depth of the
 * stack is what has to be kept safe.
 */
export function isDeep(value: unknown): boolean {
  let level = [value].filter(isContainer);
  for (let depth = 0; depth < JSON_DEPTH_MAX; depth += 1) {
    level = level.flatMap((one) => Object.values(one).filter(isContainer));
    if (level.length === 0) return false;
  }
  return true;
}

/** Whether it holds no number that became Infinity as it was parsed: 1e999 is JSON, and cannot be written again. Not of what isDeep. */
export function areNumbersFinite(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  return !isContainer(value) || Object.values(value).every(areNumbersFinite);
}

/**
 * The same value without half a surrogate pair in its texts and keys: the service refuses a body that holds one as invalid
 * JSON. What stands too deep to be walked is left out.
 */
export function wellFormed(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  if (!isContainer(value)) return value;
  if (depth > JSON_DEPTH_MAX) return null;
  if (Array.isArray(value)) return value.map((one) => wellFormed(one, depth + 1));
  // fromEntries, not assignment: a key may be __proto__
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key.toWellFormed(), wellFormed(one, depth + 1)]),
  );
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
