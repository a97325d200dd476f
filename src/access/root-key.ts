/**
 * The operator key that a server has from its start: HOLDFAST_ROOT_KEY, or one that is made and shown at the first start.
 *
 * KEY-4 A value of HOLDFAST_ROOT_KEY that was revoked, or whose key was given another value, opens nothing after any start, on any server: only
 *    another value makes a key again.
 */
import type { Clock } from '../kernel/clock.ts';
import { InvalidInput } from '../kernel/fault.ts';
import { derivedId, newId, type OrganisationId } from '../kernel/id.ts';
import type { ApiKey, KeyStore } from './key-store.ts';
import { hashOf, KEY_VALUE_CHARS_MAX, newKeyValue } from './key-value.ts';
import { KEY_SCOPES } from './principal.ts';
import { keyEnd } from './standing.ts';
import { isSignedToken } from './token.ts';

/** A given root key at all: shorter ones are typing mistakes. */
const CHARS_MIN = 4;
/** Below this a given root key can be guessed: good enough to try things on one's own machine, and warned about. */
const CHARS_SAFE = 16;
/** What a header can carry: printable ASCII without spaces. */
const GIVEN_KEY = new RegExp(`^[\\x21-\\x7e]{${CHARS_MIN},${KEY_VALUE_CHARS_MAX}}$`);
/** What a given root key must be, in words. */
export const GIVEN_KEY_EXPECTED = `${CHARS_MIN} to ${KEY_VALUE_CHARS_MAX} printable ASCII characters without spaces, ${CHARS_SAFE} or more so that nobody can guess it, not starting with hct_ or hut_`;

const REVOKED =
  'HOLDFAST_ROOT_KEY is the value of an API key that was revoked: it opens nothing. Set it to another value, or leave it out.';
const ROTATED =
  'HOLDFAST_ROOT_KEY is the former value of an API key that was rotated: it makes no key. Leave it out and use the new value, or set it to another one.';
const EXPIRED =
  'HOLDFAST_ROOT_KEY is the value of an API key that has expired: it opens nothing. Set it to another value, or leave it out.';
const NO_OPERATOR =
  'HOLDFAST_ROOT_KEY is the value of an API key without the scope operator, which stays as it is. Set it to another value, or leave it out.';

export interface RootKeyPorts {
  readonly keys: KeyStore;
  readonly clock: Clock;
  readonly firstOrganisation: OrganisationId;
  /** Told of a key that was made or put in the place of another. */
  readonly made?: ((key: ApiKey) => Promise<void>) | undefined;
}

/** Whether a given root key is long enough not to be guessed. */
export function isSafeKey(text: string): boolean {
  return text.length >= CHARS_SAFE;
}

/** Whether a given text can be the root key: usable as a bearer, not too short, and not taken for a token. */
export function isRootKey(text: string): boolean {
  return GIVEN_KEY.test(text) && !isSignedToken(text);
}

/** Makes `given` the root key, in the place of the one that was given before. Answers what is to be said about it, if anything. */
export async function takeRootKey(
  { keys, clock, firstOrganisation, made }: RootKeyPorts,
  given: string,
): Promise<string | undefined> {
  if (!isRootKey(given)) throw new InvalidInput('HOLDFAST_ROOT_KEY', `expected ${GIVEN_KEY_EXPECTED}.`);
  const hash = hashOf(given);
  const there = await keys.byHash(hash);
  if (there?.revokedAt !== undefined) return REVOKED; // KEY-4
  if (there !== undefined && there.hash !== hash) return ROTATED; // KEY-4
  if (there !== undefined && keyEnd(there, clock.now()) === 'expired') return EXPIRED;
  if (there !== undefined && !there.scopes.includes('operator')) return NO_OPERATOR;
  const key: ApiKey = {
    id: derivedId('apiKey', 'HOLDFAST_ROOT_KEY', hash), // the same on servers that start at the same moment
    organisationId: firstOrganisation,
    name: 'root',
    scopes: KEY_SCOPES,
    hash,
    rootHashes: [hash],
    createdAt: clock.now(),
  };
  await keys.replace(key);
  if (there === undefined) await made?.(key);
  return undefined;
}

/** The value of the key that was made now, since there was none at all. */
export async function makeFirstKey({
  keys,
  clock,
  firstOrganisation,
  made,
}: RootKeyPorts): Promise<string | undefined> {
  if ((await keys.count()) > 0) return undefined;
  const value = newKeyValue();
  const key: ApiKey = {
    id: newId('apiKey'),
    organisationId: firstOrganisation,
    name: 'first start',
    scopes: KEY_SCOPES,
    hash: hashOf(value),
    createdAt: clock.now(),
  };
  await keys.add(key);
  await made?.(key);
  return value;
}
