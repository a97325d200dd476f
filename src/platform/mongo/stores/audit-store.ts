/** The audit log (audit/audit-store.ts): a document per entry, to which what came of it is added once. */
import type { Collection } from 'mongodb';
import type { AuditPlace, AuditStore } from '../../../audit/audit-store.ts';
import type { AuditEntry, Settlement } from '../../../audit/entry.ts';
import type { AuditEntryId, OrganisationId } from '../../../kernel/id.ts';
import { Batch } from '../batch.ts';
import type { MongoDatabase } from '../database.ts';
import { NEWEST_FIRST, olderThan } from '../newest-first.ts';
import { isOnlyDuplicates, translated } from '../translate-error.ts';

/** `createdAt` is the entry's `at`: by it all lists are ordered. The texts are JSON: what is shown may have names that MongoDB keeps for itself. */
interface AuditDocument {
  readonly _id: AuditEntryId;
  readonly organisationId: OrganisationId;
  readonly createdAt: number;
  readonly entry: string;
  readonly settlement?: string;
}

/** Entries in one write: a burst of commands brings one each. */
const ENTRIES_MAX = 200;
/** Enough to keep the server busy, few enough to let entries gather. */
const IN_FLIGHT_MAX = 4;

export class MongoAuditStore implements AuditStore {
  readonly #entries: Collection<AuditDocument>;
  readonly #adding: Batch<AuditDocument, void>;

  constructor({ db }: Pick<MongoDatabase, 'db'>) {
    this.#entries = db.collection('audit');
    this.#adding = new Batch({
      itemsMax: ENTRIES_MAX,
      inFlightMax: IN_FLIGHT_MAX,
      run: (documents) => translated(() => this.#insert(documents)),
    });
  }

  add({ id, organisationId, at, ...entry }: AuditEntry): Promise<void> {
    return this.#adding.add({ _id: id, organisationId, createdAt: at, entry: JSON.stringify(entry) });
  }

  repair(entry: AuditEntry): Promise<void> {
    return this.add(entry);
  }

  async settle(id: AuditEntryId, settlement: Settlement): Promise<void> {
    await translated(() =>
      this.#entries.updateOne(
        { _id: id, settlement: { $exists: false } }, // AUDIT-4
        { $set: { settlement: JSON.stringify(settlement) } },
      ),
    );
  }

  async list(
    organisationId: OrganisationId,
    { limit, before }: { readonly limit: number; readonly before?: AuditPlace | undefined },
  ): Promise<readonly AuditEntry[]> {
    const place = before === undefined ? undefined : { createdAt: before.at, id: before.id };
    return translated(async () => {
      const found = await this.#entries
        .find({ organisationId, ...olderThan(place) })
        .sort(NEWEST_FIRST)
        .limit(limit)
        .toArray();
      return found.map(entryOf);
    });
  }

  /** Those that are there already stay as they are. */
  async #insert(documents: readonly AuditDocument[]): Promise<readonly void[]> {
    try {
      await this.#entries.insertMany([...documents], { ordered: false });
    } catch (error) {
      if (!isOnlyDuplicates(error)) throw error;
    }
    return documents.map(() => undefined);
  }
}

function entryOf({ _id: id, organisationId, createdAt: at, entry, settlement }: AuditDocument): AuditEntry {
  return { id, organisationId, at, ...JSON.parse(entry), ...JSON.parse(settlement ?? '{}') };
}
