/**
 * API keys (access/key-store.ts): only their hashes rest, as the `_id`, so a hash is there once.
 *
 * No transaction: a replacement first writes the new key, with an order larger than all before, and then forgets those of its
 * name that come before the largest order. So there is never a moment without a valid key; whoever of two replacements at once
 * looks last sees both, and one stays, also when the one with the smaller order wrote last. After a crash between the two
 * writes the old key is valid still, and the next replacement (every start with a given key makes one) forgets it.
 */
import type { Collection, Db } from 'mongodb';
import type { ApiKey, KeyStore } from '../../../access/key-store.ts';
import type { ApiKeyId } from '../../../kernel/id.ts';
import { Batch } from '../batch.ts';
import type { MongoDatabase } from '../database.ts';
import { nextNumber } from '../numbering.ts';
import { type Owned, Ownership } from '../ownership.ts';
import { isDuplicateKey, translated } from '../translate-error.ts';

interface KeyDocument extends Owned {
  /** The hash. */
  readonly _id: string;
  readonly id: ApiKeyId;
  readonly name: string;
  readonly createdAt: number;
  /** 0: it was added and replaced nothing. */
  readonly order: number;
}

/** Hashes in one look-up. */
const LOOK_UPS_MAX = 200;
/** Enough to keep the server busy, few enough to let requests gather. */
const IN_FLIGHT_MAX = 4;

export class MongoKeyStore implements KeyStore {
  readonly #db: Db;
  readonly #keys: Collection<KeyDocument>;
  readonly #ownership: Ownership;
  /** Every request of an API key asks (access.ts, ACCESS-1): together with those that come at the same moment. */
  readonly #byHash: Batch<string, ApiKey | undefined>;

  constructor({ db, firstOrganisation }: Pick<MongoDatabase, 'db' | 'firstOrganisation'>) {
    this.#db = db;
    this.#ownership = new Ownership(firstOrganisation);
    this.#keys = db.collection('api_key');
    this.#byHash = new Batch({
      itemsMax: LOOK_UPS_MAX,
      inFlightMax: IN_FLIGHT_MAX,
      run: (hashes) => translated(() => this.#find(hashes)),
    });
  }

  async add({ id, organisationId, name, hash, createdAt }: ApiKey): Promise<void> {
    const owner = { organisationId: this.#ownership.stored(organisationId) };
    await translated(async () => {
      try {
        await this.#keys.insertOne({ _id: hash, ...owner, id, name, createdAt, order: 0 });
      } catch (error) {
        if (!isDuplicateKey(error)) throw error;
      }
    });
  }

  async replace({ id, organisationId, name, hash, createdAt }: ApiKey): Promise<void> {
    const owner = { organisationId: this.#ownership.stored(organisationId) };
    const named = { ...this.#ownership.by(organisationId), name };
    await translated(async () => {
      const order = await nextNumber(this.#db, 'api_key.order');
      const write = () =>
        this.#keys.updateOne(
          { _id: hash },
          { $set: { name }, $max: { order }, $setOnInsert: { ...owner, id, createdAt } },
          { upsert: true },
        );
      await write().catch((error: unknown) => {
        if (!isDuplicateKey(error)) throw error;
        return write(); // someone wrote the same hash at the same moment: it is there now
      });
      const [last] = await this.#keys.find(named).sort({ order: -1 }).limit(1).toArray();
      if (last !== undefined) await this.#keys.deleteMany({ ...named, order: { $lt: last.order } });
    });
  }

  byHash(hash: string): Promise<ApiKey | undefined> {
    return this.#byHash.add(hash);
  }

  async count(): Promise<number> {
    return translated(() => this.#keys.countDocuments());
  }

  async #find(hashes: readonly string[]): Promise<readonly (ApiKey | undefined)[]> {
    const found = await this.#keys.find({ _id: { $in: [...new Set(hashes)] } }).toArray();
    const byHash = new Map(
      found.map(({ _id, id, name, createdAt, ...owned }) => {
        const organisationId = this.#ownership.read(owned);
        return [_id, { id, organisationId, name, hash: _id, createdAt }];
      }),
    );
    return hashes.map((hash) => byHash.get(hash));
  }
}
