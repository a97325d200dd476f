/**
 * How documents say whose they are: those of the first organisation by having no `organisationId`. What was written before there were
 * organisations, and what servers of that version still write beside this one, is the first one's that way, without being touched.
 */
import type { OrganisationId } from '../../kernel/id.ts';

/** In a document; absent: of the first organisation. */
export interface Owned {
  readonly organisationId?: OrganisationId | null | undefined;
}

/** A condition on it: null is equal to what is absent. */
export interface OwnedBy {
  readonly organisationId: OrganisationId | null;
}

export class Ownership {
  readonly #first: OrganisationId;

  constructor(first: OrganisationId) {
    this.#first = first;
  }

  /** For a document. */
  stored(organisationId: OrganisationId): OrganisationId | undefined {
    return organisationId === this.#first ? undefined : organisationId;
  }

  /** Of a document. */
  read({ organisationId }: Owned): OrganisationId {
    return organisationId ?? this.#first;
  }

  /** The condition that a document is that one's. Not for an upsert, which would store the null. */
  by(organisationId: OrganisationId): OwnedBy {
    return { organisationId: this.stored(organisationId) ?? null };
  }
}
