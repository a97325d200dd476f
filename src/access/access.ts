/**
 * Who may come in: API keys (only their hashes rest), client tokens for browsers, unit tokens for brains.
 *
 * ACCESS-1 An API key is looked up each time, and so is the key that made a client token: one that was replaced, rotated or revoked, by
 *    whichever server, or that has expired opens nothing from then on.
 */
import type { Clock } from '../kernel/clock.ts';
import { Forbidden, InvalidInput, Unauthenticated } from '../kernel/fault.ts';
import type { ApiKeyId, OrganisationId, SessionId } from '../kernel/id.ts';
import {
  CLIENT_TOKEN_TTL_DEFAULT_S,
  CLIENT_TOKEN_TTL_MAX_S,
  CLIENT_TOKEN_TTL_MIN_S,
} from '../kernel/limit.ts';
import { ApiKeys } from './api-keys.ts';
import type { ApiKey, KeyStore } from './key-store.ts';
import { hashOf, KEY_VALUE_CHARS_MAX } from './key-value.ts';
import { LastUses } from './last-uses.ts';
import { CLIENT_SCOPES, type ClientScope, type Principal } from './principal.ts';
import { makeFirstKey, takeRootKey } from './root-key.ts';
import { keyEnd, sentenceOf } from './standing.ts';
import { isSignedToken, mintToken, verifyToken } from './token.ts';

/** Of a token for which none are named. */
const CLIENT_SCOPES_DEFAULT: readonly ClientScope[] = ['read', 'steer'];

/** Tokens that were checked: what they say is signed and does not change. One per running brain is usual. */
const KNOWN_MAX = 4_096;

export interface ClientToken {
  readonly token: string;
  readonly scopes: readonly ClientScope[];
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

export class Access {
  readonly #keys: KeyStore;
  readonly #clock: Clock;
  readonly #signingKey: Buffer;
  readonly #firstOrganisation: OrganisationId;
  readonly #known = new Map<string, Principal>();
  /** To be run by the door. */
  readonly uses: LastUses;

  /** `firstOrganisation`: that of the keys which are made here, and of tokens from when there was no other. */
  constructor(ports: {
    keys: KeyStore;
    clock: Clock;
    signingKey: Buffer;
    firstOrganisation: OrganisationId;
  }) {
    this.#keys = ports.keys;
    this.#clock = ports.clock;
    this.#signingKey = ports.signingKey;
    this.#firstOrganisation = ports.firstOrganisation;
    this.uses = new LastUses(ports);
  }

  /** The use cases of one organisation's API keys. */
  keysOf(id: OrganisationId): ApiKeys {
    const organisation = { id, isFirst: id === this.#firstOrganisation };
    return new ApiKeys({ keys: this.#keys, clock: this.#clock, organisation });
  }

  /** The principal of an `Authorization` header's bearer value. Throws Unauthenticated, Outage. */
  async authenticate(bearer: string | undefined): Promise<Principal> {
    if (bearer === undefined || bearer === '') throw new Unauthenticated();
    const principal = isSignedToken(bearer) ? await this.#tokenHolder(bearer) : await this.#keyHolder(bearer);
    if (principal === undefined || hasExpired(principal, this.#clock.now())) {
      throw new Unauthenticated('This key or token is not known here, or has expired.');
    }
    return principal;
  }

  /**
   * Of those who were let in before: why each may ask no more, in a sentence of at most 120 bytes; undefined while it may. Each key is looked up
   * once for all. A token's own end is not said: it is known from the beginning. Throws Outage.
   */
  async endsOf(principals: readonly Principal[]): Promise<readonly (string | undefined)[]> {
    const keys = await this.#keysOf(principals);
    return principals.map((principal) => this.#endOf(principal, keys));
  }

  /** Of one who was let in before, for another operation (ACCESS-1). Throws Forbidden when it may ask no more, and Outage. */
  async readmit(principal: Principal): Promise<void> {
    const keys = await this.#keysOf([principal]);
    const why = this.#endOf(principal, keys);
    if (why !== undefined) throw new Forbidden(why);
    const key = principal.kind === 'key' ? keys.get(principal.keyId) : undefined;
    if (key !== undefined) this.uses.note(key);
  }

  /**
   * Makes sure that there is an API key: `given` (HOLDFAST_ROOT_KEY) takes the place of the one that was given before, which
   * opens nothing any more; without it, one is generated at the first start only. Answers the key when it was generated now: it
   * is shown once. `warn` is told when `given` is not what opens this server (KEY-4).
   */
  async ensureKey(
    given: string | undefined,
    warn: (sentence: string) => void = () => undefined,
  ): Promise<string | undefined> {
    const ports = { keys: this.#keys, clock: this.#clock, firstOrganisation: this.#firstOrganisation };
    if (given === undefined) return makeFirstKey(ports);
    const advice = await takeRootKey(ports, given);
    if (advice !== undefined) warn(advice);
    return undefined;
  }

  /** A token of the minter's organisation. Throws InvalidInput for an unknown scope or a ttl outside the limits. */
  mintClientToken(
    { organisationId }: Pick<Principal, 'organisationId'>,
    sessionId: SessionId,
    wish: { scopes?: readonly string[] | undefined; ttlSeconds?: number | undefined } = {},
  ): ClientToken {
    const ttl = wish.ttlSeconds ?? CLIENT_TOKEN_TTL_DEFAULT_S;
    if (!Number.isInteger(ttl) || ttl < CLIENT_TOKEN_TTL_MIN_S || ttl > CLIENT_TOKEN_TTL_MAX_S) {
      throw new InvalidInput(
        'ttlSeconds',
        `expected ${CLIENT_TOKEN_TTL_MIN_S} to ${CLIENT_TOKEN_TTL_MAX_S} seconds.`,
      );
    }
    const scopes = [...new Set(wish.scopes ?? CLIENT_SCOPES_DEFAULT)].map(parseScope);
    if (scopes.length === 0)
      throw new InvalidInput('scopes', 'name at least one scope, or leave scopes out.');
    const expiresAt = this.#clock.now() + ttl * 1_000;
    const principal = { kind: 'client', organisationId, sessionId, scopes, expiresAt } as const;
    return { token: mintToken(principal, this.#signingKey), scopes, expiresAt };
  }

  mintUnitToken(
    { organisationId }: Pick<Principal, 'organisationId'>,
    sessionId: SessionId,
    epoch: number,
  ): string {
    return mintToken({ kind: 'unit', organisationId, sessionId, epoch }, this.#signingKey);
  }

  /** ACCESS-1. What is signed is checked once, and the key that made it each time. */
  async #tokenHolder(token: string): Promise<Principal | undefined> {
    const principal = this.#verified(token);
    if (principal === undefined) return undefined;
    const [end] = await this.endsOf([principal]);
    return end === undefined ? principal : undefined;
  }

  #verified(token: string): Principal | undefined {
    const known = this.#known.get(token);
    if (known !== undefined) return known;
    const principal = verifyToken(token, {
      signingKey: this.#signingKey,
      now: this.#clock.now(),
      firstOrganisation: this.#firstOrganisation,
    });
    if (principal === undefined) return undefined;
    if (this.#known.size >= KNOWN_MAX) this.#known.clear();
    this.#known.set(token, principal);
    return principal;
  }

  /** ACCESS-1 */
  async #keyHolder(value: string): Promise<Principal | undefined> {
    if (value.length > KEY_VALUE_CHARS_MAX) return undefined;
    const valueHash = hashOf(value);
    const found = await this.#keys.byHash(valueHash);
    if (found === undefined || keyEnd(found, this.#clock.now(), valueHash) !== undefined) return undefined;
    this.uses.note(found);
    const { id: keyId, organisationId, name, scopes } = found;
    return { kind: 'key', organisationId, keyId, name, scopes, valueHash };
  }

  #endOf(principal: Principal, keys: ReadonlyMap<ApiKeyId, ApiKey | undefined>): string | undefined {
    const id = keyIdOf(principal);
    if (id === undefined) return undefined;
    const valueHash = principal.kind === 'key' ? principal.valueHash : undefined;
    const end = keyEnd(keys.get(id), this.#clock.now(), valueHash);
    return end === undefined ? undefined : sentenceOf(end, principal.kind);
  }

  async #keysOf(principals: readonly Principal[]): Promise<ReadonlyMap<ApiKeyId, ApiKey | undefined>> {
    const ids = [...new Set(principals.map(keyIdOf))].filter((id) => id !== undefined);
    const found = await Promise.all(ids.map(async (id) => [id, await this.#keys.byId(id)] as const));
    return new Map(found);
  }
}

/** The key that it came with, or that made its token. */
function keyIdOf(principal: Principal): ApiKeyId | undefined {
  return principal.kind === 'unit' ? undefined : principal.keyId;
}

function hasExpired(principal: Principal, now: number): boolean {
  return principal.kind === 'client' && principal.expiresAt <= now;
}

function parseScope(scope: string): ClientScope {
  const known = CLIENT_SCOPES.find((candidate) => candidate === scope);
  if (known === undefined) throw new InvalidInput('scopes', `expected some of ${CLIENT_SCOPES.join(', ')}.`);
  return known;
}
