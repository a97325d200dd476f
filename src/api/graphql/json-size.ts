/** How many bytes a value has as JSON, without making the text: what is too large is never made. */

/** JSON may write a character as \u0000, so this is the most that a UTF-16 unit takes. */
const UNIT_BYTES_MAX = 6;
/** The most that a number takes, and more than a boolean. */
const SCALAR_BYTES_MAX = 25;

/** How much one leaf takes. */
interface Measure {
  text(text: string): number;
  scalar(value: unknown): number;
}

const MOST: Measure = {
  text: (text) => text.length * UNIT_BYTES_MAX + 2,
  scalar: () => SCALAR_BYTES_MAX,
};
const EXACT: Measure = {
  text: (text) => Buffer.byteLength(JSON.stringify(text)),
  scalar: (value) => JSON.stringify(value)?.length ?? 4,
};

/**
 * At least the bytes of `JSON.stringify(value)`; undefined when those are more than `bytesMax`, which is found out as soon as it is
 * so. Results of GraphQL: plain objects, lists, scalars, and errors (by their `toJSON`).
 */
export function jsonBytes(value: unknown, bytesMax: number): number | undefined {
  // Nearly all are short enough even if every character were written as an escape; only of others is each text counted.
  return sizeOf(value, bytesMax, MOST) ?? sizeOf(value, bytesMax, EXACT);
}

function sizeOf(value: unknown, bytesMax: number, measure: Measure): number | undefined {
  let bytes = 0;
  /** False as soon as it is too much. */
  const add = (part: unknown): boolean => {
    if (typeof part === 'string') bytes += measure.text(part);
    else if (typeof part !== 'object' || part === null) bytes += measure.scalar(part);
    else if (Array.isArray(part)) {
      bytes += 2 + part.length;
      return part.every(add) && bytes <= bytesMax;
    } else if ('toJSON' in part && typeof part.toJSON === 'function') return add(part.toJSON());
    else {
      bytes += 2;
      for (const [key, own] of Object.entries(part)) {
        if (own === undefined || typeof own === 'function') continue;
        bytes += measure.text(key) + 2;
        if (!add(own)) return false;
      }
    }
    return bytes <= bytesMax;
  };
  return add(value) ? bytes : undefined;
}
