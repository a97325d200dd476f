/**
 * Which keys of an organisation are being revoked that need another one to stay (access/key-store.ts, revoke), without a transaction: one document
 * for an organisation names them, with a version.
 *
 * Whoever revokes reads it, looks whether there is another key that is not named in it, and adds its own if the version is the same still: that
 * one conditional write decides. So of two that need one another, the second one finds the first named, or finds the version raised and looks
 * again. The key is revoked after it, and then its name is taken out. A name that a killed server left behind makes the others be refused,
 * not fewer: revoking that key again takes it out.
 */
import type { Collection, Db, Document, Filter } from 'mongodb';
import type { NeededKey } from '../../../access/key-store.ts';
import type { ApiKeyId, OrganisationId } from '../../../kernel/id.ts';
import { Outage } from '../../../kernel/outage.ts';
import { type Owned, Ownership } from '../ownership.ts';
import type { MongoDatabase } from '../database.ts';
import { isDuplicateKey } from '../translate-error.ts';

interface EndingDocument {
  readonly _id: OrganisationId;
  readonly version: number;
  /** As many as are revoked at the same moment. */
  readonly keys: readonly ApiKeyId[];
}

interface OpenKey extends Owned {
  readonly _id: ApiKeyId;
}

/** Others of the same organisation revoke keys at the same moment: all its administrators at once. */
const ATTEMPTS_MAX = 100;
/** What the primary has, a majority or not: what was acknowledged is in it also after an election. */
const NEWEST = { readConcern: { level: 'local' } } as const;

export class LastKeys {
  readonly #ending: Collection<EndingDocument>;
  readonly #keys: Collection<OpenKey>;
  readonly #ownership: Ownership;

  constructor({ db, firstOrganisation }: { readonly db: Db } & Pick<MongoDatabase, 'firstOrganisation'>) {
    this.#ending = db.collection('api_key_ending', NEWEST);
    this.#keys = db.collection('api_key_record', NEWEST);
    this.#ownership = new Ownership(firstOrganisation);
  }

  /** False when no other key would stay. */
  async claim(organisationId: OrganisationId, id: ApiKeyId, needed: NeededKey): Promise<boolean> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const { version, keys } = (await this.#ending.findOne({ _id: organisationId })) ?? NONE;
      const others = { ...this.#ownership.by(organisationId), _id: { $nin: [...keys, id] } };
      const filter = { ...others, ...opening(needed) };
      // as: the fields of a key that are asked for here (key-store.ts)
      const another = await this.#keys.findOne(filter as Filter<OpenKey>, { projection: { _id: 1 } });
      if (another === null) return false;
      if (await this.#add(organisationId, id, version)) return true;
    }
    throw new Outage('CONTENDED', 'Keys of this organisation are being revoked by others. Try again.');
  }

  /** Its key is revoked. */
  async settle(organisationId: OrganisationId, id: ApiKeyId): Promise<void> {
    await this.#ending.updateOne({ _id: organisationId }, { $pull: { keys: id } });
  }

  /** False when somebody else was first. */
  async #add(_id: OrganisationId, id: ApiKeyId, version: number): Promise<boolean> {
    try {
      if (version === NONE.version) {
        await this.#ending.insertOne({ _id, version: version + 1, keys: [id] });
        return true;
      }
      const { matchedCount } = await this.#ending.updateOne(
        { _id, version },
        { $inc: { version: 1 }, $addToSet: { keys: id } },
      );
      return matchedCount === 1;
    } catch (error) {
      if (isDuplicateKey(error)) return false;
      throw error;
    }
  }
}

/** Of an organisation that has not revoked one yet. */
const NONE = { version: 0, keys: [] as readonly ApiKeyId[] };

function opening({ scope, opensAt }: NeededKey): Document {
  return {
    scopes: scope,
    revokedAt: { $exists: false },
    $or: [{ expiresAt: { $exists: false } }, { expiresAt: { $gt: opensAt } }],
  };
}
