/**
 * Organisations (access/organisation-store.ts). The first one's document was made by a schema step.
 *
 * Servers of the version before organisations show everything to whoever has a key. Such a server may run beside this one as long as there
 * is but the first organisation; that none does is seen from the heartbeats, which say so since (owner-store.ts), and none can be
 * started on this schema (SCHEMA-1).
 */
import type { Collection } from 'mongodb';
import { OlderServerRuns } from '../../../access/faults.ts';
import type { OrganisationRecord, OrganisationStore } from '../../../access/organisation-store.ts';
import type { OrganisationId } from '../../../kernel/id.ts';
import type { MongoDatabase } from '../database.ts';
import { insertOnce } from '../insert-once.ts';
import { NEWEST_FIRST, olderThan } from '../newest-first.ts';
import { translated } from '../translate-error.ts';
import { OLDER_OWNERS } from './owner-store.ts';

type Page = Parameters<OrganisationStore['list']>[0];
type OrganisationDocument = Omit<OrganisationRecord, 'id'> & { readonly _id: OrganisationId };

export class MongoOrganisationStore implements OrganisationStore {
  readonly first: OrganisationId;
  readonly #db: MongoDatabase['db'];
  readonly #organisations: Collection<OrganisationDocument>;

  constructor({ db, firstOrganisation }: Pick<MongoDatabase, 'db' | 'firstOrganisation'>) {
    this.first = firstOrganisation;
    this.#db = db;
    this.#organisations = db.collection('organisation');
  }

  async create(
    organisation: OrganisationRecord,
  ): Promise<{ readonly created: boolean; readonly organisation: OrganisationRecord }> {
    const { id, ...rest } = organisation;
    return translated(async () => {
      if ((await this.#db.collection('owner').findOne(OLDER_OWNERS)) !== null) throw new OlderServerRuns();
      const made = await insertOnce(this.#organisations, { _id: id, ...rest }, async () => {
        const ofId = await this.#organisations.findOne({ _id: id });
        return ofId ?? (await this.#organisations.findOne({ name: rest.name }));
      });
      if (made.inserted) return { created: true, organisation };
      return { created: false, organisation: organisationOf(made.there) };
    });
  }

  async get(id: OrganisationId): Promise<OrganisationRecord | undefined> {
    return translated(async () => {
      const found = await this.#organisations.findOne({ _id: id });
      return found === null ? undefined : organisationOf(found);
    });
  }

  async list({ limit, before }: Page): Promise<readonly OrganisationRecord[]> {
    return translated(async () => {
      const found = await this.#organisations
        .find(olderThan(before))
        .sort(NEWEST_FIRST)
        .limit(limit)
        .toArray();
      return found.map(organisationOf);
    });
  }
}

function organisationOf({ _id, name, createdAt }: OrganisationDocument): OrganisationRecord {
  return { id: _id, name, createdAt };
}
