/** The port for API keys; only hashes of their values rest. Contract: test/contracts/key-store.ts. */
import type { AnsweredRequest } from '../kernel/answered-requests.ts';
import type { ApiKeyId, OrganisationId } from '../kernel/id.ts';
import type { KeyScope } from './principal.ts';

export interface ApiKey {
  readonly id: ApiKeyId;
  readonly organisationId: OrganisationId;
  readonly name: string;
  readonly scopes: readonly KeyScope[];
  /** SHA-256 of its value, 64 hex digits. */
  readonly hash: string;
  readonly createdAt: number;
  /** The key that made it; absent: it was made at a start of the server, or by an operator of another organisation. */
  readonly createdBy?: ApiKeyId | undefined;
  readonly expiresAt?: number | undefined;
  readonly revokedAt?: number | undefined;
  /** When it was last given another value. */
  readonly rotatedAt?: number | undefined;
  /** Values of before, which open until then. */
  readonly retired?: readonly RetiredValue[] | undefined;
  /** Of a root key: the hashes of what HOLDFAST_ROOT_KEY was for it, one for each value that somebody has set. Rotation takes none away. */
  readonly rootHashes?: readonly string[] | undefined;
  /** Written now and then (last-uses.ts): behind by a minute at most. */
  readonly lastUsedAt?: number | undefined;
  /** What made it. */
  readonly requestHash?: string | undefined;
  /** The later requests with an idempotency key, the newest last. */
  readonly requests?: readonly AnsweredRequest[] | undefined;
}

export interface RetiredValue {
  readonly hash: string;
  readonly until: number;
}

export interface KeyUse {
  readonly id: ApiKeyId;
  readonly at: number;
}

/** Another key of the organisation that has this scope, is not revoked, and opens at that time still. */
export interface NeededKey {
  readonly scope: KeyScope;
  /** Infinity: one that does not expire. */
  readonly opensAt: number;
}

export interface Revoked {
  readonly before: ApiKey;
  readonly after: ApiKey;
}

/** What is not of the organisation that is named is not there (ORGANISATION-1). */
export interface KeyStore {
  /** Inserts; when the id or the hash is there already, writes nothing and answers that one. */
  add(key: ApiKey): Promise<{ readonly added: boolean; readonly key: ApiKey }>;
  /**
   * Makes this the one root key of its organisation, by its hash: of the others, those that were never rotated nor revoked are forgotten; those
   * that were rotated are revoked, so that the values which they had stay known. When the hash is there already, that key stays as it is, whosever it
   * is, and is the root key.
   */
  replace(key: ApiKey): Promise<void>;
  /** The key that has this hash as its value, as one of before that is kept, or among its rootHashes. Of all organisations. */
  byHash(hash: string): Promise<ApiKey | undefined>;
  /** Of all organisations: for those who hold what the key made. */
  byId(id: ApiKeyId): Promise<ApiKey | undefined>;
  get(organisationId: OrganisationId, id: ApiKeyId): Promise<ApiKey | undefined>;
  /** Newest first. */
  list(
    organisationId: OrganisationId,
    page: {
      readonly limit: number;
      readonly before?: { readonly createdAt: number; readonly id: ApiKeyId } | undefined;
    },
  ): Promise<readonly ApiKey[]>;
  /**
   * Replaces it by what `change`, a pure function, makes of it as it is at that moment. Undefined when there is none of this id; what `change`
   * throws is thrown on, with nothing written. `lastUsedAt` is not changed this way.
   */
  update(
    organisationId: OrganisationId,
    id: ApiKeyId,
    change: (key: ApiKey) => ApiKey,
  ): Promise<{ readonly before: ApiKey; readonly after: ApiKey } | undefined>;
  /**
   * Ends it at `at`, with its values of before. `needed`, a pure function, says which other key the organisation needs then: where there is none,
   * it is 'last' and stays as it is. Of several at once that need one another, one stays: each is one conditional write. Undefined when there
   * is none of this id; one that was revoked before stays as it is.
   */
  revoke(
    organisationId: OrganisationId,
    id: ApiKeyId,
    at: number,
    needed: (key: ApiKey) => NeededKey | undefined,
  ): Promise<Revoked | 'last' | undefined>;
  /** Raises `lastUsedAt` of each. */
  used(uses: readonly KeyUse[]): Promise<void>;
  /** Of all organisations, with those that were revoked. */
  count(): Promise<number>;
}
