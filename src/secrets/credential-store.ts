/** The port for credentials as records; the key itself is in the SecretStore. Contract: test/contracts/credential-store.ts. */
import type { CredentialId } from '../kernel/id.ts';

export const PROVIDERS = ['anthropic'] as const;
export type Provider = (typeof PROVIDERS)[number];

/** A model key, without the key. */
export interface Credential {
  readonly id: CredentialId;
  readonly provider: Provider;
  readonly name?: string | undefined;
  /** The last four characters of the key, to tell keys apart. */
  readonly last4: string;
  /** One default per provider. */
  readonly isDefault: boolean;
  readonly createdAt: number;
  /** When the key was last replaced. */
  readonly rotatedAt: number;
  readonly requestHash: string;
}

export interface CredentialStore {
  /** Creates it; when the id is taken, writes nothing and answers that one. A new default ends the old one. */
  create(credential: Credential): Promise<{ readonly created: boolean; readonly credential: Credential }>;
  /** Replaces it; a new default ends the old one. False when there is none of this id. */
  update(credential: Credential): Promise<boolean>;
  get(id: CredentialId): Promise<Credential | undefined>;
  defaultOf(provider: Provider): Promise<Credential | undefined>;
  /** Newest first. */
  list(page: {
    readonly limit: number;
    readonly before?: { readonly createdAt: number; readonly id: CredentialId } | undefined;
  }): Promise<readonly Credential[]>;
  /** False when there was none. */
  delete(id: CredentialId): Promise<boolean>;
}
