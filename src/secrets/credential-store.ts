/** The port for credentials as records; the key itself is in the SecretStore. Contract: test/contracts/credential-store.ts. */
import type { AnsweredRequest } from '../kernel/answered-requests.ts';
import type { CredentialId, OrganisationId } from '../kernel/id.ts';
import type { Provider } from './provider-table.ts';

/** A model key, without the key. */
export interface Credential {
  readonly id: CredentialId;
  readonly organisationId: OrganisationId;
  readonly provider: Provider;
  readonly name?: string | undefined;
  /** The last four characters of the key, to tell keys apart. */
  readonly last4: string;
  /** One default per provider and organisation. */
  readonly isDefault: boolean;
  readonly createdAt: number;
  /** When the key was last replaced. */
  readonly rotatedAt: number;
  readonly requestHash: string;
  /** The name of its key in the SecretStore: another one for each key, so that a name never changes its value. */
  readonly secret: string;
  /** The agent, by its name, whose inline key it is; only such a key is replaced with that agent. */
  readonly agent?: string | undefined;
  /** The later requests with an idempotency key, the newest last. */
  readonly requests?: readonly AnsweredRequest[] | undefined;
}

/** What is not of the organisation that is named is not there (ORGANISATION-1). */
export interface CredentialStore {
  /**
   * Creates it; when the id is taken, also by one that was deleted since, writes nothing and answers that one. A new default ends
   * the old one.
   */
  create(credential: Credential): Promise<{ readonly created: boolean; readonly credential: Credential }>;
  /**
   * Replaces it by what `change`, a pure function, makes of it as it is at that moment; a new default ends the old one.
   * Undefined when there is none of this id; what `change` throws is thrown on, with nothing written.
   */
  update(
    organisationId: OrganisationId,
    id: CredentialId,
    change: (credential: Credential) => Credential,
  ): Promise<{ readonly before: Credential; readonly after: Credential } | undefined>;
  get(organisationId: OrganisationId, id: CredentialId): Promise<Credential | undefined>;
  defaultOf(organisationId: OrganisationId, provider: Provider): Promise<Credential | undefined>;
  /** Newest first. */
  list(
    organisationId: OrganisationId,
    page: {
      readonly limit: number;
      readonly before?: { readonly createdAt: number; readonly id: CredentialId } | undefined;
    },
  ): Promise<readonly Credential[]>;
  /** The one that has this id or had it until it was deleted, as it was then but for being the default. */
  made(organisationId: OrganisationId, id: CredentialId): Promise<Credential | undefined>;
  /** What was deleted; undefined when there was none. Its record stays for `made` and `create`; nothing else sees it. */
  delete(organisationId: OrganisationId, id: CredentialId): Promise<Credential | undefined>;
}
