/** The port for organisations. Contract: test/contracts/organisation-store.ts. */
import type { OrganisationId } from '../kernel/id.ts';

/** Whom agents, sessions, credentials and keys belong to: each to one, and for ever. */
export interface OrganisationRecord {
  readonly id: OrganisationId;
  /** Unique, for people. */
  readonly name: string;
  readonly createdAt: number;
}

export interface OrganisationStore {
  /**
   * The one that there is from the first start on, the same for ever and on every server. What was stored before there were any is its
   * own, and so are tokens that name none.
   */
  readonly first: OrganisationId;

  /** Creates it; when the id or the name is taken, writes nothing and answers that one. Throws OlderServerRuns. */
  create(
    organisation: OrganisationRecord,
  ): Promise<{ readonly created: boolean; readonly organisation: OrganisationRecord }>;

  get(id: OrganisationId): Promise<OrganisationRecord | undefined>;

  /** Newest first. */
  list(page: {
    readonly limit: number;
    readonly before?: { readonly createdAt: number; readonly id: OrganisationId } | undefined;
  }): Promise<readonly OrganisationRecord[]>;
}
