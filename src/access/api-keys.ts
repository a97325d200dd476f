/**
 * The API keys of one organisation: made, listed, given another value, and revoked.
 *
 * KEY-1 The value of a key is answered once, by the request that made it. Only its hash rests: a replay answers the key without the value.
 * KEY-2 No key gives what it does not have: what it makes has some of its scopes, and it gives a new value only to a key that can do no more than itself.
 *    An operator may give anything.
 * KEY-3 Rotation leaves the key as it is, under its id, with a new value; those of before open until the overlap is over, and not longer
 *    than they would have.
 * KEY-6 The last key that may make keys is not revoked by its organisation, which would have no way back; an operator may. What stays for one that
 *    does not expire is another that does not either; for one that expires, any that opens at the moment.
 */
import { answeredWith, remembered } from '../kernel/answered-requests.ts';
import type { Clock } from '../kernel/clock.ts';
import { Forbidden, IdempotencyConflict, InvalidInput } from '../kernel/fault.ts';
import { type ApiKeyId, keyedId, newId, type Organisation } from '../kernel/id.ts';
import {
  KEY_LIFE_SECONDS_MAX,
  KEY_OVERLAP_SECONDS_DEFAULT,
  KEY_OVERLAP_SECONDS_MAX,
  NAME_CHARS_MAX,
} from '../kernel/limit.ts';
import { parseChoice, parseCount, parseName } from '../kernel/parse.ts';
import { parseKey, requestHash } from '../kernel/request-hash.ts';
import { ApiKeyNotFound, ApiKeyRevoked, LastKey } from './faults.ts';
import type { ApiKey, KeyStore, NeededKey, RetiredValue } from './key-store.ts';
import { hashOf, newKeyValue } from './key-value.ts';
import { KEY_SCOPES, type KeyScope, type Principal } from './principal.ts';

/** Values of before that still open: someone who rotates more often has lost track of who uses which. */
const RETIRED_MAX = 4;
/** What a key needs to make others. */
const MAKES_KEYS: KeyScope = 'keys:write';

/** Who asks. */
export type KeyHolder = Extract<Principal, { kind: 'key' }>;

export interface NewApiKey {
  readonly name: string;
  readonly scopes: readonly string[];
  /** Milliseconds since the epoch; left out: it does not expire. */
  readonly expiresAt?: number | undefined;
  readonly idempotencyKey?: string | undefined;
}

export interface Rotation {
  /** How long values of before still open. */
  readonly overlapSeconds?: number | undefined;
  /** Another end of the key; left out: it stays. */
  readonly expiresAt?: number | undefined;
  readonly idempotencyKey?: string | undefined;
}

export interface ShownKey {
  readonly apiKey: ApiKey;
  /** KEY-1. Undefined in a replay. */
  readonly value: string | undefined;
  readonly replayed: boolean;
}

export class ApiKeys {
  readonly #store: KeyStore;
  readonly #clock: Clock;
  readonly #organisation: Organisation;
  readonly #revoked: (id: ApiKeyId) => void;

  /** `revoked` is told what is revoked here, for who remembers keys for a moment (TOKEN-6). */
  constructor(ports: {
    keys: KeyStore;
    clock: Clock;
    organisation: Organisation;
    revoked?: ((id: ApiKeyId) => void) | undefined;
  }) {
    this.#store = ports.keys;
    this.#clock = ports.clock;
    this.#organisation = ports.organisation;
    this.#revoked = ports.revoked ?? (() => undefined);
  }

  /** Throws InvalidInput, Forbidden, IdempotencyConflict. */
  async create(by: KeyHolder, request: NewApiKey): Promise<ShownKey> {
    const key = parseKey('idempotencyKey', request.idempotencyKey);
    const name = parseName('name', request.name, NAME_CHARS_MAX);
    const scopes = parseScopes(request.scopes);
    refuseMore(by, scopes);
    const hash = requestHash({ name, scopes, expiresAt: request.expiresAt });
    const id = key === undefined ? newId('apiKey') : keyedId('apiKey', this.#organisation, key);
    const there = key === undefined ? undefined : await this.#store.get(this.#organisation.id, id);
    if (there !== undefined) return replay(there, hash, key); // before the clock is asked: its end may have come since
    const now = this.#clock.now();
    const expiresAt = parseEnd(request.expiresAt, now);
    const value = newKeyValue();
    const made = await this.#store.add({
      id,
      organisationId: this.#organisation.id,
      name,
      scopes,
      hash: hashOf(value), // KEY-1
      createdAt: now,
      createdBy: by.organisationId === this.#organisation.id ? by.keyId : undefined, // an operator's is of another one (ORGANISATION-1)
      expiresAt,
      requestHash: hash,
    });
    return made.added ? { apiKey: made.key, value, replayed: false } : replay(made.key, hash, key);
  }

  /** Throws ApiKeyNotFound. */
  async get(id: ApiKeyId): Promise<ApiKey> {
    const key = await this.#store.get(this.#organisation.id, id);
    if (key === undefined) throw new ApiKeyNotFound(id);
    return key;
  }

  /** With those that were revoked. */
  list(page: Parameters<KeyStore['list']>[1]): Promise<readonly ApiKey[]> {
    return this.#store.list(this.#organisation.id, page);
  }

  /** KEY-3. Throws InvalidInput, Forbidden, ApiKeyNotFound, ApiKeyRevoked, IdempotencyConflict. */
  async rotate(by: KeyHolder, id: ApiKeyId, wish: Rotation): Promise<ShownKey> {
    const idempotencyKey = parseKey('idempotencyKey', wish.idempotencyKey);
    const overlap =
      parseCount('overlapSeconds', wish.overlapSeconds, 0, KEY_OVERLAP_SECONDS_MAX) ??
      KEY_OVERLAP_SECONDS_DEFAULT;
    const request = requestHash({ rotate: true, overlap, expiresAt: wish.expiresAt });
    const value = newKeyValue();
    let isReplay = false;
    const outcome = await this.#store.update(this.#organisation.id, id, (key) => {
      refuseMore(by, key.scopes); // KEY-2
      isReplay = wasAnswered(key, idempotencyKey, request);
      if (isReplay) return key;
      if (key.revokedAt !== undefined) throw new ApiKeyRevoked(id);
      const now = this.#clock.now();
      const expiresAt = parseEnd(wish.expiresAt, now) ?? key.expiresAt;
      if (expiresAt !== undefined && expiresAt <= now)
        throw new InvalidInput('expiresAt', 'this key has expired: say until when the new value is good.');
      return {
        ...key,
        hash: hashOf(value), // KEY-1
        retired: retiredOf(key, now, overlap * 1_000),
        expiresAt,
        rotatedAt: now,
        requests: remembered(key.requests, idempotencyKey, request),
      };
    });
    if (outcome === undefined) throw new ApiKeyNotFound(id);
    return { apiKey: outcome.after, value: isReplay ? undefined : value, replayed: isReplay };
  }

  /** For good. `replayed` when it was revoked before. Throws Forbidden, ApiKeyNotFound, LastKey. */
  async revoke(by: KeyHolder, id: ApiKeyId): Promise<{ apiKey: ApiKey; replayed: boolean }> {
    const there = await this.get(id);
    if (there.scopes.includes('operator')) refuseMore(by, ['operator']);
    if (there.revokedAt !== undefined) return { apiKey: there, replayed: true };
    const now = this.#clock.now();
    const mayLeaveNone = by.scopes.includes('operator');
    const needed = mayLeaveNone ? () => undefined : (key: ApiKey) => anotherFor(key, now);
    const outcome = await this.#store.revoke(this.#organisation.id, id, now, needed);
    if (outcome === undefined) throw new ApiKeyNotFound(id);
    if (outcome === 'last') throw new LastKey(); // KEY-6
    this.#revoked(id);
    const { before, after } = outcome;
    return { apiKey: after, replayed: before.revokedAt !== undefined };
  }
}

/** KEY-6. Undefined: it is not missed. */
function anotherFor({ scopes, expiresAt }: ApiKey, now: number): NeededKey | undefined {
  if (!scopes.includes(MAKES_KEYS) || (expiresAt !== undefined && expiresAt <= now)) return undefined;
  return { scope: MAKES_KEYS, opensAt: expiresAt === undefined ? Number.POSITIVE_INFINITY : now };
}

function replay(there: ApiKey, hash: string, key: string | undefined): ShownKey {
  if (there.requestHash !== hash) throw new IdempotencyConflict(key ?? there.id);
  return { apiKey: there, value: undefined, replayed: true }; // KEY-1
}

/** Throws IdempotencyConflict when the idempotency key came with another request. */
function wasAnswered(key: ApiKey, idempotencyKey: string | undefined, hash: string): boolean {
  const before = answeredWith(key.requests, idempotencyKey);
  if (before !== undefined && before.hash !== hash) throw new IdempotencyConflict(idempotencyKey ?? '');
  return before !== undefined;
}

/** KEY-2 */
function refuseMore({ scopes }: KeyHolder, wanted: readonly KeyScope[]): void {
  if (scopes.includes('operator')) return;
  const missing = wanted.filter((scope) => !scopes.includes(scope));
  if (missing.length === 0) return;
  const named = missing.map((scope) => `"${scope}"`).join(', ');
  throw new Forbidden(`This API key has no scope ${named}, so it cannot give it to another key.`);
}

/** In the order of the table. */
function parseScopes(given: readonly string[]): readonly KeyScope[] {
  const named = new Set(given.map((scope) => parseChoice('scopes', scope, KEY_SCOPES)));
  if (named.size === 0) throw new InvalidInput('scopes', 'name at least one scope.');
  return KEY_SCOPES.filter((scope) => named.has(scope));
}

function parseEnd(expiresAt: number | undefined, now: number): number | undefined {
  if (expiresAt === undefined) return undefined;
  if (expiresAt > now && expiresAt <= now + KEY_LIFE_SECONDS_MAX * 1_000) return expiresAt;
  throw new InvalidInput(
    'expiresAt',
    `expected a moment that is to come, within ${KEY_LIFE_SECONDS_MAX} seconds; leave it out for a key that does not expire.`,
  );
}

/** KEY-3. Those whose time is over are forgotten. */
function retiredOf(
  { hash, retired = [], expiresAt = Number.POSITIVE_INFINITY }: ApiKey,
  now: number,
  overlapMs: number,
): readonly RetiredValue[] {
  const end = Math.min(now + overlapMs, expiresAt);
  const all = [{ hash, until: end }, ...retired.map((one) => ({ ...one, until: Math.min(one.until, end) }))];
  const open = all.filter(({ until }) => until > now);
  if (open.length <= RETIRED_MAX) return open;
  throw new InvalidInput(
    'overlapSeconds',
    `${RETIRED_MAX} values of before still open, which is the most: wait for the end of their overlap, or end all of them with 0.`,
  );
}
