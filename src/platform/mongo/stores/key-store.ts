/**
 * API keys (access/key-store.ts): a document for each, with all hashes by which it is found; only hashes rest. A change takes effect with the write of
 * one document, by compare-and-set on its version.
 *
 * No transaction: a replacement of the root key first writes the new key, with an order larger than all before, and then ends the root keys that come
 * before the largest order. So there is never a moment without a valid key; whoever of two replacements at once looks last sees both, and
 * one stays, also when the one with the smaller order wrote last. After a crash between the two writes the old key is valid still, and the
 * next replacement (every start with a given key makes one) ends it.
 *
 * Hashes are not unique by an index: a value is random, or a root key's, whose id is made from it.
 *
 * Servers of the version before look into `api_key`, where a key is by its hash and may do everything (migrations.ts). What is changed here is
 * taken out there first: a value that is revoked or replaced opens nothing on those either.
 */
import type { Collection, Db } from 'mongodb';
import type { ApiKey, KeyStore, KeyUse, NeededKey, Revoked } from '../../../access/key-store.ts';
import type { ApiKeyId, OrganisationId } from '../../../kernel/id.ts';
import { Batch } from '../batch.ts';
import type { MongoDatabase } from '../database.ts';
import { insertOnce } from '../insert-once.ts';
import { NEWEST_FIRST, olderThan } from '../newest-first.ts';
import { nextNumber } from '../numbering.ts';
import { type Owned, Ownership } from '../ownership.ts';
import { isDuplicateKey, translated } from '../translate-error.ts';
import { LastKeys } from './last-keys.ts';

type Page = Parameters<KeyStore['list']>[1];

interface KeyDocument extends Omit<ApiKey, 'id' | 'organisationId'>, Owned {
  readonly _id: ApiKeyId;
  /** By which it is found: its value's, those of before that are kept, its rootHashes. */
  readonly hashes: readonly string[];
  /** Raised by every change: what compare-and-set compares. */
  readonly version: number;
  /** Of root keys. */
  readonly order?: number | undefined;
}

/** Keys in one look-up. */
const LOOK_UPS_MAX = 200;
/** Enough to keep the server busy, few enough to let requests gather. */
const IN_FLIGHT_MAX = 4;
/** Others change the same key at the same moment now and then, not this often. */
const ATTEMPTS_MAX = 100;

export class MongoKeyStore implements KeyStore {
  readonly #db: Db;
  readonly #keys: Collection<KeyDocument>;
  readonly #older: Collection<{ readonly _id: string }>;
  readonly #ownership: Ownership;
  readonly #lastKeys: LastKeys;
  /** Every request of an API key asks (access.ts, ACCESS-1): together with those that come at the same moment. */
  readonly #byHash: Batch<string, ApiKey | undefined>;
  readonly #byId: Batch<ApiKeyId, ApiKey | undefined>;

  constructor({ db, firstOrganisation }: Pick<MongoDatabase, 'db' | 'firstOrganisation'>) {
    this.#db = db;
    this.#ownership = new Ownership(firstOrganisation);
    this.#lastKeys = new LastKeys({ db, firstOrganisation });
    this.#keys = db.collection('api_key_record');
    this.#older = db.collection('api_key');
    const bounds = { itemsMax: LOOK_UPS_MAX, inFlightMax: IN_FLIGHT_MAX };
    this.#byHash = new Batch({ ...bounds, run: (some) => translated(() => this.#withHashes(some)) });
    this.#byId = new Batch({ ...bounds, run: (some) => translated(() => this.#withIds(some)) });
  }

  async add(key: ApiKey): Promise<{ readonly added: boolean; readonly key: ApiKey }> {
    return translated(async () => {
      const ofHash = await this.#keys.findOne({ hashes: key.hash });
      if (ofHash !== null) return { added: false, key: this.#keyOf(ofHash) };
      const document = { ...this.#documentOf(key), version: 1 };
      const made = await insertOnce(this.#keys, document, () => this.#keys.findOne({ _id: key.id }));
      return made.inserted ? { added: true, key } : { added: false, key: this.#keyOf(made.there) };
    });
  }

  async replace(key: ApiKey): Promise<void> {
    await translated(async () => {
      const order = await nextNumber(this.#db, 'api_key.order');
      const there = await this.#keys.findOne({ hashes: key.hash });
      const { _id, hashes: _hashes, rootHashes: _rootHashes, ...inserted } = this.#documentOf(key);
      const write = () =>
        this.#keys.updateOne(
          { _id: there?._id ?? _id },
          {
            $addToSet: { hashes: key.hash, rootHashes: key.hash },
            $max: { order },
            $inc: { version: 1 },
            $setOnInsert: inserted,
          },
          { upsert: true },
        );
      await write().catch((error: unknown) => {
        if (!isDuplicateKey(error)) throw error;
        return write(); // someone wrote the same key at the same moment: it is there now
      });
      await this.#endOlderRoots(key.organisationId, key.createdAt);
    });
  }

  byHash(hash: string): Promise<ApiKey | undefined> {
    return this.#byHash.add(hash);
  }

  byId(id: ApiKeyId): Promise<ApiKey | undefined> {
    return this.#byId.add(id);
  }

  async get(organisationId: OrganisationId, id: ApiKeyId): Promise<ApiKey | undefined> {
    return translated(async () => {
      const found = await this.#keys.findOne({ _id: id, ...this.#ownership.by(organisationId) });
      return found === null ? undefined : this.#keyOf(found);
    });
  }

  async list(organisationId: OrganisationId, { limit, before }: Page): Promise<readonly ApiKey[]> {
    return translated(async () => {
      const found = await this.#keys
        .find({ ...this.#ownership.by(organisationId), ...olderThan(before) })
        .sort(NEWEST_FIRST)
        .limit(limit)
        .toArray();
      return found.map((one) => this.#keyOf(one));
    });
  }

  async update(
    organisationId: OrganisationId,
    id: ApiKeyId,
    change: (key: ApiKey) => ApiKey,
  ): Promise<{ readonly before: ApiKey; readonly after: ApiKey } | undefined> {
    return translated(async () => {
      for (let count = 0; count < ATTEMPTS_MAX; count += 1) {
        const found = await this.#keys.findOne({ _id: id, ...this.#ownership.by(organisationId) });
        if (found === null) return undefined;
        const before = this.#keyOf(found);
        const after = change(before);
        if (after === before || (await this.#swap(found, after))) return { before, after };
      }
      throw new Error(`A key was changed by others ${ATTEMPTS_MAX} times while it was being changed.`);
    });
  }

  async revoke(
    organisationId: OrganisationId,
    id: ApiKeyId,
    at: number,
    needed: (key: ApiKey) => NeededKey | undefined,
  ): Promise<Revoked | 'last' | undefined> {
    const there = await this.get(organisationId, id);
    if (there === undefined) return undefined;
    if (there.revokedAt !== undefined) return { before: there, after: there };
    const another = needed(there);
    if (another !== undefined) {
      const isClaimed = await translated(() => this.#lastKeys.claim(organisationId, id, another));
      if (!isClaimed) return 'last';
    }
    const outcome = await this.update(organisationId, id, (key) =>
      key.revokedAt === undefined ? { ...key, revokedAt: at, retired: undefined } : key,
    );
    if (another !== undefined) await translated(() => this.#lastKeys.settle(organisationId, id));
    return outcome;
  }

  async used(uses: readonly KeyUse[]): Promise<void> {
    await translated(() =>
      this.#keys.bulkWrite(
        uses.map(({ id, at }) => ({
          updateOne: { filter: { _id: id }, update: { $max: { lastUsedAt: at } } },
        })),
        { ordered: false },
      ),
    );
  }

  async count(): Promise<number> {
    return translated(() => this.#keys.countDocuments());
  }

  /** Those of before the largest order. */
  async #endOlderRoots(organisationId: OrganisationId, at: number): Promise<void> {
    const roots = { ...this.#ownership.by(organisationId), order: { $gt: 0 } };
    const [last, ...before] = await this.#keys.find(roots).sort({ order: -1 }).toArray();
    for (const { _id, hashes, revokedAt, rotatedAt, order } of before) {
      if (revokedAt !== undefined || last === undefined || order === last.order) continue;
      await this.#forgetOlder(hashes);
      if (rotatedAt === undefined) await this.#keys.deleteOne({ _id, order, rotatedAt: { $exists: false } });
      else
        await this.#keys.updateOne(
          { _id, order },
          { $set: { revokedAt: at }, $unset: { retired: '' }, $inc: { version: 1 } },
        );
    }
  }

  /** False when somebody else has changed it. */
  async #swap(found: KeyDocument, after: ApiKey): Promise<boolean> {
    await this.#forgetOlder(found.hashes);
    const { _id, lastUsedAt: _used, ...set } = this.#documentOf(after);
    const gone = Object.keys(this.#documentOf(this.#keyOf(found))).filter(
      (field) => !(field in set) && field !== '_id' && field !== 'lastUsedAt',
    );
    const { matchedCount } = await this.#keys.updateOne(
      { _id, version: found.version },
      {
        $set: set,
        $inc: { version: 1 },
        ...(gone.length === 0 ? {} : { $unset: Object.fromEntries(gone.map((field) => [field, ''])) }),
      },
    );
    return matchedCount === 1;
  }

  async #forgetOlder(hashes: readonly string[]): Promise<void> {
    await this.#older.deleteMany({ _id: { $in: [...hashes] } });
  }

  async #withHashes(hashes: readonly string[]): Promise<readonly (ApiKey | undefined)[]> {
    const found = await this.#keys.find({ hashes: { $in: [...new Set(hashes)] } }).toArray();
    const byHash = new Map(found.flatMap((one) => one.hashes.map((hash) => [hash, this.#keyOf(one)])));
    return hashes.map((hash) => byHash.get(hash));
  }

  async #withIds(ids: readonly ApiKeyId[]): Promise<readonly (ApiKey | undefined)[]> {
    const found = await this.#keys.find({ _id: { $in: [...new Set(ids)] } }).toArray();
    const byId = new Map(found.map((one) => [one._id, this.#keyOf(one)]));
    return ids.map((id) => byId.get(id));
  }

  /** Without what is undefined. */
  #documentOf({ id, organisationId, ...rest }: ApiKey): Omit<KeyDocument, 'version' | 'order'> {
    const { hash, retired = [], rootHashes = [] } = rest;
    const hashes = [...new Set([hash, ...retired.map((value) => value.hash), ...rootHashes])];
    const document = { _id: id, organisationId: this.#ownership.stored(organisationId), ...rest, hashes };
    // as: what is left out is optional
    return Object.fromEntries(
      Object.entries(document).filter(([, value]) => value !== undefined),
    ) as typeof document;
  }

  #keyOf(found: KeyDocument): ApiKey {
    const { _id: id, hashes: _hashes, version: _version, order: _order, ...rest } = found;
    return { ...rest, id, organisationId: this.#ownership.read(found) };
  }
}
