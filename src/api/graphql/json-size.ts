/** How many bytes a value has as JSON, without making the text: what is too large is never made. */
import { JsonText } from '../../kernel/json-text.ts';

/** JSON may write a character as \u0000, so this is the most that a UTF-16 unit takes. */
const UNIT_BYTES_MAX = 6;
/** Of text that is JSON already. */
const JSON_UNIT_BYTES_MAX = 3;
/** The most that a number takes, and more than a boolean. */
const SCALAR_BYTES_MAX = 25;

/** From here on an object's size is remembered while one answer is measured. */
const LARGE_OBJECT_BYTES = 16 * 1024;
/** Of each ASCII character as JSON. */
const ESCAPED_BYTES = Uint8Array.from(
  { length: 0x80 },
  (_, unit) => JSON.stringify(String.fromCharCode(unit)).length - 2,
);

/** How much one leaf takes. */
interface Measure {
  text(text: string): number;
  json(text: string): number;
  scalar(value: unknown): number;
}

const MOST: Measure = {
  text: (text) => text.length * UNIT_BYTES_MAX + 2,
  json: (text) => text.length * JSON_UNIT_BYTES_MAX,
  scalar: () => SCALAR_BYTES_MAX,
};
const EXACT: Measure = {
  text: textBytes,
  json: Buffer.byteLength,
  scalar: (value) => JSON.stringify(value)?.length ?? 4,
};

/** Of a text as JSON: counted, since writing it takes its bytes again. */
function textBytes(text: string): number {
  let bytes = 2;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit < 0x80) bytes += ESCAPED_BYTES[unit] ?? 1;
    else if (unit < 0x800) bytes += 2;
    else if (unit < 0xd800 || unit > 0xdfff) bytes += 3;
    else if (unit < 0xdc00 && isLow(text.charCodeAt(at + 1))) {
      bytes += 4;
      at += 1;
    } else bytes += UNIT_BYTES_MAX; // half a character is written as an escape
  }
  return bytes;
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff; // false for NaN, at the end
}

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
  /** What large objects take: one body is often there under several names. */
  const known = new Map<object, number>();
  /** False as soon as it is too much. */
  const add = (part: unknown): boolean => {
    if (typeof part === 'string') bytes += measure.text(part);
    else if (typeof part !== 'object' || part === null) bytes += measure.scalar(part);
    else if (part instanceof JsonText) bytes += measure.json(part.text);
    else if (known.has(part)) bytes += known.get(part) ?? 0;
    else if (Array.isArray(part)) {
      bytes += 2 + part.length;
      return part.every(add) && bytes <= bytesMax;
    } else if ('toJSON' in part && typeof part.toJSON === 'function') return add(part.toJSON());
    else {
      const before = bytes;
      bytes += 2;
      for (const [key, own] of Object.entries(part)) {
        if (own === undefined || typeof own === 'function') continue;
        bytes += measure.text(key) + 2;
        if (!add(own)) return false;
      }
      if (bytes - before >= LARGE_OBJECT_BYTES) known.set(part, bytes - before);
    }
    return bytes <= bytesMax;
  };
  return add(value) ? bytes : undefined;
}
