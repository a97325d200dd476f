/**
 * The port for the audit log. Entries of appends are written by the journals (journal/journal.ts, AppendRequest.audit). There is no way to
 * change or to delete an entry (AUDIT-4). Contract: test/contracts/audit-store.ts.
 */
import type { AuditEntryId, OrganisationId } from '../kernel/id.ts';
import type { AuditEntry, Settlement } from './entry.ts';

/** Entries are listed by their time and then by their id, newest first. */
export interface AuditPlace {
  readonly at: number;
  readonly id: AuditEntryId;
}

export interface AuditStore {
  /** Durable when it answers; when the id is there already, writes nothing. */
  add(entry: AuditEntry): Promise<void>;
  /** Writes an entry that a crash may have kept from the append that it is about. Where both are one commit there is nothing to do. */
  repair(entry: AuditEntry): Promise<void>;
  /** What came of an entry that was added as begun. The first one stays; later ones write nothing. */
  settle(id: AuditEntryId, settlement: Settlement): Promise<void>;
  list(
    organisationId: OrganisationId,
    page: { readonly limit: number; readonly before?: AuditPlace | undefined },
  ): Promise<readonly AuditEntry[]>;
}
