/**
 * Whether what somebody was admitted with is good still: one rule for the door, which asks before each operation, and for what is open
 * (bearer-watch.ts).
 */
import type { ApiKey } from './key-store.ts';
import type { Principal } from './principal.ts';

/** Why a key opens nothing any more. */
export type KeyEnd = 'unknown' | 'revoked' | 'expired' | 'rotated';

const SENTENCES: Readonly<Record<KeyEnd, string>> = {
  unknown: 'The API key is not there any more.',
  revoked: 'The API key was revoked.',
  expired: 'The API key has expired.',
  rotated: 'The API key was rotated: use its new value.',
};
const TOKEN_SENTENCES: Readonly<Record<KeyEnd, string>> = {
  unknown: 'The API key that made this client token is not there any more.',
  revoked: 'The API key that made this client token was revoked.',
  expired: 'The API key that made this client token has expired.',
  rotated: 'The API key that made this client token was rotated.',
};

/** Undefined while it opens. `valueHash`: of the value with which it came; left out, any value of it will do. */
export function keyEnd(key: ApiKey | undefined, now: number, valueHash?: string): KeyEnd | undefined {
  if (key === undefined) return 'unknown';
  if (key.revokedAt !== undefined) return 'revoked';
  if (key.expiresAt !== undefined && key.expiresAt <= now) return 'expired';
  if (valueHash === undefined || valueHash === key.hash) return undefined;
  const retired = key.retired?.find(({ hash }) => hash === valueHash);
  return retired !== undefined && now < retired.until ? undefined : 'rotated';
}

/** In a sentence of at most 120 bytes: a closing socket has room for no more (RFC 6455 5.5). */
export function sentenceOf(end: KeyEnd, kind: Principal['kind']): string {
  return kind === 'key' ? SENTENCES[end] : TOKEN_SENTENCES[end];
}
