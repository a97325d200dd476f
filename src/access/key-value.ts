/** Values of API keys: how they are made and what of them rests. */
import { createHash, randomBytes } from 'node:crypto';

const PREFIX = 'hf_';
const VALUE_BYTES = 24;
/** A bearer that is longer is no key of ours and is not hashed. */
export const KEY_VALUE_CHARS_MAX = 256;

/** One that nobody can guess (192 bits). Whoever is shown it is the only one who has it. */
export function newKeyValue(): string {
  return `${PREFIX}${randomBytes(VALUE_BYTES).toString('base64url')}`;
}

export function hashOf(value: string): string {
  return createHash('sha256').update(value).digest('hex');
}
