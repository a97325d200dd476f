/**
 * Idempotency: the hash that tells a repeated request from a different one under the same key, and the key's form.
 * Objects are hashed with sorted keys, so that the order of fields does not matter, and without those that are undefined: a field
 * that a later version adds does not change the hash of a request that does not set it. So a request is an object of
 * named fields, each undefined where it has its default.
 */
import { createHash } from 'node:crypto';
import { InvalidInput } from './fault.ts';
import { KEY_CHARS_MAX } from './limit.ts';

export function requestHash(request: unknown): string {
  return createHash('sha256').update(JSON.stringify(request, sorted)).digest('hex').slice(0, 32);
}

/** Throws InvalidInput when a caller's key is empty or too long. */
export function parseKey(field: string, key: string | undefined): string | undefined {
  if (key === undefined) return undefined;
  if (key.length === 0 || key.length > KEY_CHARS_MAX || !key.isWellFormed()) {
    throw new InvalidInput(field, `expected 1 to ${KEY_CHARS_MAX} characters.`); // halves of a character all look alike once stored
  }
  return key;
}

function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
