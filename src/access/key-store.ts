/** The port for API keys; only hashes rest. Contract: test/contracts/key-store.ts. */
import type { ApiKeyId, OrganisationId } from '../kernel/id.ts';

export interface ApiKey {
  readonly id: ApiKeyId;
  readonly organisationId: OrganisationId;
  readonly name: string;
  /** SHA-256 of the key, 64 hex digits. */
  readonly hash: string;
  readonly createdAt: number;
}

export interface KeyStore {
  /** Inserts, or does nothing when the hash is there already. */
  add(key: ApiKey): Promise<void>;
  /**
   * Makes this the one key of its name in its organisation: those that had the name are forgotten. When the hash is there already,
   * that key stays, whosever it is, and takes the name.
   */
  replace(key: ApiKey): Promise<void>;
  byHash(hash: string): Promise<ApiKey | undefined>;
  /** Of all organisations. */
  count(): Promise<number>;
}
