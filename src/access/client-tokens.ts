/**
 * Client tokens: for browsers. Minted by an API key for one session, narrowed by whoever holds one (narrowing.ts), renewed by themselves,
 * revoked for a session or a key. Nothing of a token is stored but what revokes it.
 *
 * TOKEN-4 A client token sees no event above its level, and nothing of what the model thinks unless it was minted so: neither events nor
 *    deltas, by whatever it asks (principal.ts: viewOf).
 * TOKEN-5 One that may ANSWER and not STEER speaks only while its session awaits input; that is decided in the append (sessions/lifecycle.ts).
 * TOKEN-8 No token may do more than its minter, or ends later than it; a renewed one may do what the one before could, no more, and ends no
 *    later than was said when the first was minted. A revocation ends all that came from what was minted before it.
 */
import { LEVEL_RANK, type Level } from '../journal/event-catalog.ts';
import { type Chance, systemChance } from '../kernel/chance.ts';
import type { Clock } from '../kernel/clock.ts';
import { Forbidden, InvalidInput } from '../kernel/fault.ts';
import type { ApiKeyId, OrganisationId, SessionId } from '../kernel/id.ts';
import {
  CLIENT_TOKEN_RENEWABLE_DEFAULT_S,
  CLIENT_TOKEN_RENEWABLE_MAX_S,
  CLIENT_TOKEN_TTL_DEFAULT_S,
  CLIENT_TOKEN_TTL_MAX_S,
  CLIENT_TOKEN_TTL_MIN_S,
} from '../kernel/limit.ts';
import { type AskedWhen, BriefMemory } from './brief-memory.ts';
import { CLIENT_SCOPES, type ClientPrincipal, type ClientScope, type KeyScope } from './principal.ts';
import type { TokenGenerationStore, TokenSubject } from './token-generation-store.ts';
import { MESSAGES_PER_MINUTE_DEFAULT, MESSAGES_PER_MINUTE_MAX, TokenRate } from './token-rate.ts';
import { mintToken } from './token.ts';

/** Of a token for which none are named, as far as its minter may give them. */
const SCOPES_DEFAULT: readonly ClientScope[] = ['read', 'steer'];
/** What the minter needs itself. */
const NEEDED: Readonly<Record<ClientScope, KeyScope>> = {
  read: 'sessions:read',
  steer: 'sessions:write',
  answer: 'sessions:write',
  cancel: 'sessions:write',
};
const TOKEN_ID_BYTES = 12;
const SESSION_REVOKED = 'The client tokens of this session were revoked.';
const KEY_REVOKED = 'The client tokens that this API key made were revoked.';

export interface ClientToken {
  readonly token: string;
  readonly principal: ClientPrincipal;
  readonly scopes: readonly ClientScope[];
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** Who mints. */
export interface Minter {
  readonly organisationId: OrganisationId;
  readonly keyId?: ApiKeyId | undefined;
  /** Absent: all. */
  readonly scopes?: readonly KeyScope[] | undefined;
  /** When the key ends. */
  readonly expiresAt?: number | undefined;
}

/** What a token shall be. What is absent is as the schema says. */
export interface TokenWish {
  readonly scopes?: readonly string[] | undefined;
  readonly ttlSeconds?: number | undefined;
  readonly level?: Level | undefined;
  readonly thinking?: boolean | undefined;
  readonly renewableSeconds?: number | undefined;
  readonly messagesPerMinute?: number | undefined;
}

export class ClientTokens {
  readonly #store: TokenGenerationStore;
  readonly #generations: BriefMemory<TokenSubject, number>;
  readonly #clock: Clock;
  readonly #chance: Chance;
  readonly #signingKey: Buffer;
  readonly #rate: TokenRate;

  constructor(ports: {
    tokenGenerations: TokenGenerationStore;
    clock: Clock;
    signingKey: Buffer;
    chance?: Chance | undefined;
  }) {
    const store = ports.tokenGenerations;
    this.#store = store;
    this.#generations = new BriefMemory(ports.clock, (subjects) => store.generationsOf(subjects));
    this.#clock = ports.clock;
    this.#chance = ports.chance ?? systemChance;
    this.#signingKey = ports.signingKey;
    this.#rate = new TokenRate(ports.clock);
  }

  /** Throws InvalidInput, and Forbidden for what the minter may not do itself (TOKEN-8). */
  async mint(minter: Minter, sessionId: SessionId, wish: TokenWish = {}): Promise<ClientToken> {
    const { level, thinking = false, ttlSeconds = CLIENT_TOKEN_TTL_DEFAULT_S } = wish;
    const { messagesPerMinute = MESSAGES_PER_MINUTE_DEFAULT } = wish;
    const renewableSeconds = wish.renewableSeconds ?? CLIENT_TOKEN_RENEWABLE_DEFAULT_S;
    checkCount('ttlSeconds', ttlSeconds, CLIENT_TOKEN_TTL_MIN_S, CLIENT_TOKEN_TTL_MAX_S);
    checkCount('renewableSeconds', renewableSeconds, 0, CLIENT_TOKEN_RENEWABLE_MAX_S);
    checkCount('messagesPerMinute', messagesPerMinute, 1, MESSAGES_PER_MINUTE_MAX);
    if (thinking && level !== undefined && LEVEL_RANK[level] < LEVEL_RANK.internal)
      throw new InvalidInput('thinking', 'it is shown at the level INTERNAL; leave level out, or thinking.');
    const scopes = scopesOf(minter, wish.scopes);
    const { organisationId, keyId, expiresAt: keyEnd = Number.POSITIVE_INFINITY } = minter;
    const subjects = keyId === undefined ? [sessionId] : [sessionId, keyId];
    const [session = 0, key = 0] = await this.#store.generationsOf(subjects); // now, not a moment ago
    const now = this.#clock.now();
    return this.#tokenOf({
      kind: 'client',
      organisationId,
      sessionId,
      scopes,
      expiresAt: Math.min(now + ttlSeconds * 1_000, keyEnd),
      level,
      thinking,
      tokenId: this.#chance.hex(TOKEN_ID_BYTES),
      keyId,
      generations: { session, key },
      ttlSeconds,
      renewableUntil: Math.min(now + renewableSeconds * 1_000, keyEnd),
      messagesPerMinute,
    });
  }

  /** The same for longer (TOKEN-8). Throws Forbidden. */
  renew(token: ClientPrincipal): ClientToken {
    const { expiresAt, renewableUntil = 0, ttlSeconds = CLIENT_TOKEN_TTL_MIN_S } = token;
    if (renewableUntil <= expiresAt)
      throw new Forbidden(
        'This client token cannot be renewed beyond its end. Ask the server that gave it for another one.',
      );
    const renewed = Math.min(this.#clock.now() + ttlSeconds * 1_000, renewableUntil);
    return this.#tokenOf({ ...token, expiresAt: Math.max(expiresAt, renewed) });
  }

  /** Ends all tokens of a session, or all that a key has minted, which are there now (TOKEN-6). */
  async revoke(organisationId: OrganisationId, subject: TokenSubject): Promise<void> {
    await this.#store.raise(organisationId, subject);
    this.#generations.forget(subject); // TOKEN-6
  }

  /** Of those that were revoked (TOKEN-6), in a sentence of at most 120 bytes. Throws Outage. */
  async revocationsOf(
    tokens: readonly ClientPrincipal[],
    when?: AskedWhen,
  ): Promise<ReadonlyMap<ClientPrincipal, string>> {
    const subjects = tokens.flatMap(({ sessionId, keyId }) => (keyId ? [sessionId, keyId] : [sessionId]));
    const current = await this.#generations.of(subjects, when);
    const revocations = new Map<ClientPrincipal, string>();
    for (const token of tokens) {
      const { sessionId, keyId, generations: own = { session: 0, key: 0 } } = token;
      if ((current.get(sessionId) ?? 0) > own.session) revocations.set(token, SESSION_REVOKED);
      else if (keyId && (current.get(keyId) ?? 0) > own.key) revocations.set(token, KEY_REVOKED);
    }
    return revocations;
  }

  /** Before a message or a cancel of a client token. Throws RateLimited (TOKEN-7). */
  take(token: ClientPrincipal, what: 'message' | 'cancel' | 'renewal'): void {
    this.#rate.take(token, what);
  }

  #tokenOf(principal: ClientPrincipal): ClientToken {
    const { scopes, expiresAt } = principal;
    return { token: mintToken(principal, this.#signingKey), principal, scopes, expiresAt };
  }
}

function scopesOf({ scopes: own }: Minter, wished: readonly string[] | undefined): readonly ClientScope[] {
  const may = (scope: ClientScope): boolean => own === undefined || own.includes(NEEDED[scope]);
  if (wished === undefined) return SCOPES_DEFAULT.filter(may);
  const scopes = [...new Set(wished)].map(parseScope);
  if (scopes.length === 0) throw new InvalidInput('scopes', 'name at least one scope, or leave scopes out.');
  const over = scopes.find((scope) => !may(scope));
  if (over !== undefined)
    throw new Forbidden(
      `Your API key has no scope "${NEEDED[over]}", so no token that it mints may ${over.toUpperCase()}.`,
    );
  return scopes;
}

function parseScope(scope: string): ClientScope {
  const known = CLIENT_SCOPES.find((candidate) => candidate === scope);
  if (known === undefined) throw new InvalidInput('scopes', `expected some of ${CLIENT_SCOPES.join(', ')}.`);
  return known;
}

function checkCount(field: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new InvalidInput(field, `expected a whole number from ${least} to ${most}.`);
}
