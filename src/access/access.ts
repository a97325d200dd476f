/**
 * Who may come in: API keys (only their hashes rest), client tokens for browsers, unit tokens for brains.
 *
 * ACCESS-1 An API key is looked up each time: one that was replaced, rotated or revoked, by whichever server, or that has expired opens nothing
 *    from then on. What ends a client token, its key's end among it, is looked up several times in a second (TOKEN-6).
 */
import type { Clock } from '../kernel/clock.ts';
import { Forbidden, Unauthenticated } from '../kernel/fault.ts';
import type { ApiKeyId, OrganisationId, SessionId } from '../kernel/id.ts';
import { ApiKeys } from './api-keys.ts';
import { type AskedWhen, BriefMemory } from './brief-memory.ts';
import { type ClientToken, ClientTokens, type Minter, type TokenWish } from './client-tokens.ts';
import { KeyLookUps } from './key-look-ups.ts';
import type { ApiKey, KeyStore } from './key-store.ts';
import { hashOf, KEY_VALUE_CHARS_MAX } from './key-value.ts';
import { LastUses } from './last-uses.ts';
import type { Principal } from './principal.ts';
import { makeFirstKey, type RootKeyPorts, takeRootKey } from './root-key.ts';
import { keyEnd, sentenceOf } from './standing.ts';
import type { TokenGenerationStore } from './token-generation-store.ts';
import { isSignedToken, mintToken, verifyToken } from './token.ts';

/** Tokens that were checked: what they say is signed and does not change. One per running brain is usual. */
const KNOWN_MAX = 4_096;

export class Access {
  readonly #keys: KeyStore;
  readonly #lookUps: KeyLookUps;
  readonly #clock: Clock;
  readonly #signingKey: Buffer;
  readonly #firstOrganisation: OrganisationId;
  readonly #known = new Map<string, Principal>();
  /** To be run by the door. */
  readonly uses: LastUses;
  readonly clientTokens: ClientTokens;
  /** Those that made client tokens (TOKEN-6). */
  readonly #tokenKeys: BriefMemory<ApiKeyId, ApiKey | undefined>;

  /** `firstOrganisation`: that of the keys which are made here, and of tokens from when there was no other. */
  constructor(ports: {
    keys: KeyStore;
    tokenGenerations: TokenGenerationStore;
    clock: Clock;
    signingKey: Buffer;
    firstOrganisation: OrganisationId;
  }) {
    this.#keys = ports.keys;
    this.#lookUps = new KeyLookUps(ports.keys);
    this.#clock = ports.clock;
    this.#signingKey = ports.signingKey;
    this.#firstOrganisation = ports.firstOrganisation;
    this.uses = new LastUses(ports);
    this.clientTokens = new ClientTokens(ports);
    this.#tokenKeys = new BriefMemory(ports.clock, (ids) =>
      Promise.all(ids.map((id) => ports.keys.byId(id))),
    );
  }

  /** The use cases of one organisation's API keys. */
  keysOf(id: OrganisationId): ApiKeys {
    const organisation = { id, isFirst: id === this.#firstOrganisation };
    const revoked = (key: ApiKeyId): void => this.#tokenKeys.forget(key); // TOKEN-6
    return new ApiKeys({ keys: this.#keys, clock: this.#clock, organisation, revoked });
  }

  /** The principal of an `Authorization` header's bearer value. Throws Unauthenticated, Outage. */
  async authenticate(bearer: string | undefined): Promise<Principal> {
    if (bearer === undefined || bearer === '') throw new Unauthenticated();
    const principal = isSignedToken(bearer) ? this.#verified(bearer) : await this.#keyHolder(bearer);
    if (principal === undefined || hasExpired(principal, this.#clock.now()))
      throw new Unauthenticated('This key or token is not known here, or has expired.');
    if (principal.kind !== 'client') return principal;
    const [end] = await this.endsOf([principal]);
    if (end !== undefined) throw new Unauthenticated(end);
    return principal;
  }

  /**
   * Of those who were let in before: why each may ask no more, in a sentence of at most 120 bytes; undefined while it may. Each key is looked up
   * once for all. A token's own end is not said: it is known from the beginning. `when` 'now': also what ends tokens is looked up now.
   * Throws Outage.
   */
  async endsOf(principals: readonly Principal[], when?: AskedWhen): Promise<readonly (string | undefined)[]> {
    return (await this.#standingsOf(principals, when)).ends;
  }

  /** Of one who was let in before, for another operation (ACCESS-1). Throws Forbidden when it may ask no more, and Outage. */
  async readmit(principal: Principal): Promise<void> {
    const { ends, keys } = await this.#standingsOf([principal]);
    const [why] = ends;
    if (why !== undefined) throw new Forbidden(why);
    const key = principal.kind === 'key' ? keys.get(principal.keyId) : undefined;
    if (key !== undefined) this.uses.note(key);
  }

  /**
   * Makes sure that there is an API key: `given` (HOLDFAST_ROOT_KEY) takes the place of the one that was given before, which
   * opens nothing any more; without it, one is generated at the first start only. Answers the key when it was generated now: it
   * is shown once. `warn` is told when `given` is not what opens this server (KEY-4), `made` of a key that was not there before.
   */
  async ensureKey(
    given: string | undefined,
    warn: (sentence: string) => void = () => undefined,
    made?: RootKeyPorts['made'],
  ): Promise<string | undefined> {
    const ports = {
      keys: this.#keys,
      clock: this.#clock,
      firstOrganisation: this.#firstOrganisation,
      made,
    };
    if (given === undefined) return makeFirstKey(ports);
    const advice = await takeRootKey(ports, given);
    if (advice !== undefined) warn(advice);
    return undefined;
  }

  /** A token of the minter's organisation. Throws InvalidInput, Forbidden. */
  async mintClientToken(minter: Minter, sessionId: SessionId, wish?: TokenWish): Promise<ClientToken> {
    const key = minter.keyId === undefined ? undefined : await this.#keys.byId(minter.keyId);
    return this.clientTokens.mint({ ...minter, expiresAt: key?.expiresAt }, sessionId, wish);
  }

  mintUnitToken(
    { organisationId }: Pick<Principal, 'organisationId'>,
    sessionId: SessionId,
    epoch: number,
  ): string {
    return mintToken({ kind: 'unit', organisationId, sessionId, epoch }, this.#signingKey);
  }

  async #standingsOf(
    principals: readonly Principal[],
    when?: AskedWhen,
  ): Promise<{
    readonly ends: readonly (string | undefined)[];
    readonly keys: ReadonlyMap<ApiKeyId, ApiKey | undefined>;
  }> {
    const tokens = principals.filter((principal) => principal.kind === 'client');
    const tokenKeyIds = tokens.map(({ keyId }) => keyId).filter((id) => id !== undefined);
    const [keys, tokenKeys, revocations] = await Promise.all([
      this.#keysOf(principals),
      this.#tokenKeys.of(tokenKeyIds, when),
      this.clientTokens.revocationsOf(tokens, when),
    ]);
    const now = this.#clock.now();
    const ends = principals.map((principal) => {
      if (principal.kind === 'unit') return undefined;
      const { kind, keyId } = principal;
      const end =
        kind === 'key'
          ? keyEnd(keys.get(keyId), now, principal.valueHash)
          : keyId && keyEnd(tokenKeys.get(keyId), now);
      if (end !== undefined) return sentenceOf(end, kind);
      return kind === 'client' ? revocations.get(principal) : undefined;
    });
    return { ends, keys };
  }

  /** What is signed does not change, and is checked once. */
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
    const found = await this.#lookUps.byHash(valueHash);
    if (found === undefined || keyEnd(found, this.#clock.now(), valueHash) !== undefined) return undefined;
    this.uses.note(found);
    const { id: keyId, organisationId, name, scopes } = found;
    return { kind: 'key', organisationId, keyId, name, scopes, valueHash };
  }

  /** Of those who came with one. */
  async #keysOf(principals: readonly Principal[]): Promise<ReadonlyMap<ApiKeyId, ApiKey | undefined>> {
    const ids = new Set(
      principals.flatMap((principal) => (principal.kind === 'key' ? [principal.keyId] : [])),
    );
    const found = await Promise.all([...ids].map(async (id) => [id, await this.#keys.byId(id)] as const));
    return new Map(found);
  }
}

function hasExpired(principal: Principal, now: number): boolean {
  return principal.kind === 'client' && principal.expiresAt <= now;
}
