/**
 * Who may come in: API keys (only their hashes rest), client tokens for browsers, unit tokens for brains.
 *
 * ACCESS-1 An API key is looked up each time: one that was replaced, by whichever server, opens nothing from then on.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '../kernel/clock.ts';
import { InvalidInput, Unauthenticated } from '../kernel/fault.ts';
import { newId, type OrganisationId, type SessionId } from '../kernel/id.ts';
import { type ClientToken, ClientTokens, type Minter, type TokenWish } from './client-tokens.ts';
import type { ApiKey, KeyStore } from './key-store.ts';
import { KEY_SCOPES, type Principal } from './principal.ts';
import type { TokenGenerationStore } from './token-generation-store.ts';
import { isSignedToken, mintToken, verifyToken } from './token.ts';

const KEY_PREFIX = 'hf_';
/** The name of the one key that HOLDFAST_ROOT_KEY gives. */
const ROOT = 'root';
const KEY_BYTES = 24;
/** A given root key at all: shorter ones are typing mistakes. */
const API_KEY_CHARS_MIN = 4;
const API_KEY_CHARS_MAX = 256;
/** Below this a given root key can be guessed: good enough to try things on one's own machine, and warned about. */
const API_KEY_CHARS_SAFE = 16;
/** What a header can carry: printable ASCII without spaces. */
const GIVEN_KEY = new RegExp(`^[\\x21-\\x7e]{${API_KEY_CHARS_MIN},${API_KEY_CHARS_MAX}}$`);
/** What a given root key must be, in words. */
export const GIVEN_KEY_EXPECTED = `${API_KEY_CHARS_MIN} to ${API_KEY_CHARS_MAX} printable ASCII characters without spaces, ${API_KEY_CHARS_SAFE} or more so that nobody can guess it, not starting with hct_ or hut_`;
/** Tokens that were checked: what they say is signed and does not change. One per running brain is usual. */
const KNOWN_MAX = 4_096;

export class Access {
  readonly #keys: KeyStore;
  readonly #clock: Clock;
  readonly #signingKey: Buffer;
  readonly #firstOrganisation: OrganisationId;
  readonly #known = new Map<string, Principal>();
  readonly clientTokens: ClientTokens;

  /** `firstOrganisation`: that of the keys which are made here, and of tokens from when there was no other. */
  constructor(ports: {
    keys: KeyStore;
    tokenGenerations: TokenGenerationStore;
    clock: Clock;
    signingKey: Buffer;
    firstOrganisation: OrganisationId;
  }) {
    this.#keys = ports.keys;
    this.#clock = ports.clock;
    this.#signingKey = ports.signingKey;
    this.#firstOrganisation = ports.firstOrganisation;
    this.clientTokens = new ClientTokens(ports);
  }

  /** The principal of an `Authorization` header's bearer value. Throws Unauthenticated. */
  async authenticate(bearer: string | undefined): Promise<Principal> {
    if (bearer === undefined || bearer === '') throw new Unauthenticated();
    const principal = await this.#look(bearer);
    if (principal === undefined || hasExpired(principal, this.#clock.now()))
      throw new Unauthenticated('This key or token is not known here, or has expired.');
    const [end] = await this.endsOf([principal]);
    if (end !== undefined) throw new Unauthenticated(end);
    return principal;
  }

  /**
   * Makes sure that there is an API key: `given` (HOLDFAST_ROOT_KEY) takes the place of the one that was given before, which
   * opens nothing any more; without it, one is generated at the first start only. Answers the key when it was generated now: it
   * is shown once.
   */
  async ensureKey(given: string | undefined): Promise<string | undefined> {
    if (given !== undefined) {
      if (!isRootKey(given)) throw new InvalidInput('HOLDFAST_ROOT_KEY', `expected ${GIVEN_KEY_EXPECTED}.`);
      await this.#keys.replace(this.#keyOf(ROOT, given));
      return undefined;
    }
    if ((await this.#keys.count()) > 0) return undefined;
    const key = `${KEY_PREFIX}${randomBytes(KEY_BYTES).toString('base64url')}`;
    await this.#keys.add(this.#keyOf('first start', key));
    return key;
  }

  /** A token of the minter's organisation. Throws InvalidInput, Forbidden. */
  mintClientToken(minter: Minter, sessionId: SessionId, wish?: TokenWish): Promise<ClientToken> {
    return this.clientTokens.mint(minter, sessionId, wish);
  }

  mintUnitToken(
    { organisationId }: Pick<Principal, 'organisationId'>,
    sessionId: SessionId,
    epoch: number,
  ): string {
    return mintToken({ kind: 'unit', organisationId, sessionId, epoch }, this.#signingKey);
  }

  /** Why each may ask no more, in a sentence; undefined while it may. Throws Outage. */
  async endsOf(principals: readonly Principal[]): Promise<readonly (string | undefined)[]> {
    const tokens = principals.filter((principal) => principal.kind === 'client');
    const ends = tokens.length === 0 ? [] : await this.clientTokens.endsOf(tokens);
    return principals.map((principal) =>
      principal.kind === 'client' ? ends[tokens.indexOf(principal)] : undefined,
    );
  }

  async #look(bearer: string): Promise<Principal | undefined> {
    if (!isSignedToken(bearer)) return this.#keyHolder(bearer); // ACCESS-1
    const known = this.#known.get(bearer);
    if (known !== undefined) return known;
    const principal = verifyToken(bearer, {
      signingKey: this.#signingKey,
      now: this.#clock.now(),
      firstOrganisation: this.#firstOrganisation,
    });
    if (principal === undefined) return undefined;
    if (this.#known.size >= KNOWN_MAX) this.#known.clear();
    this.#known.set(bearer, principal);
    return principal;
  }

  async #keyHolder(key: string): Promise<Principal | undefined> {
    if (key.length > API_KEY_CHARS_MAX) return undefined;
    const found = await this.#keys.byHash(hashOf(key));
    if (found === undefined) return undefined;
    return { kind: 'key', organisationId: found.organisationId, keyId: found.id, scopes: KEY_SCOPES };
  }

  #keyOf(name: string, key: string): ApiKey {
    const organisationId = this.#firstOrganisation;
    return { id: newId('apiKey'), organisationId, name, hash: hashOf(key), createdAt: this.#clock.now() };
  }
}

/** Whether a given root key is long enough not to be guessed. */
export function isSafeKey(text: string): boolean {
  return text.length >= API_KEY_CHARS_SAFE;
}

/** Whether a given text can be the root key: usable as a bearer, not too short, and not taken for a token. */
export function isRootKey(text: string): boolean {
  return GIVEN_KEY.test(text) && !isSignedToken(text);
}

function hasExpired(principal: Principal, now: number): boolean {
  return principal.kind === 'client' && principal.expiresAt <= now;
}

function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}
