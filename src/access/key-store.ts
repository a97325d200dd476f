/** The port for API keys; only hashes rest. Contract: test/contracts/key-store.ts. */
import type { ApiKeyId } from '../kernel/id.ts';

export interface ApiKey {
  readonly id: ApiKeyId;
  readonly name: string;
  /** SHA-256 of the key, 64 hex digits. */
  readonly hash: string;
  readonly createdAt: number;
}

export interface KeyStore {
  /** Inserts, or does nothing when the hash is there already. */
  add(key: ApiKey): Promise<void>;
  byHash(hash: string): Promise<ApiKey | undefined>;
  count(): Promise<number>;
}
