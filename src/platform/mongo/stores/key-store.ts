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
import type { MongoDatabase } from '../database.ts';
import { nextNumber } from '../numbering.ts';
import { isDuplicateKey, translated } from '../translate-error.ts';

interface KeyDocument {
  /** The hash. */
  readonly _id: string;
  readonly id: ApiKeyId;
  readonly name: string;
  readonly createdAt: number;
  /** 0: it was added and replaced nothing. */
  readonly order: number;
}

export class MongoKeyStore implements KeyStore {
  readonly #db: Db;
  readonly #keys: Collection<KeyDocument>;

  constructor({ db }: MongoDatabase) {
    this.#db = db;
    this.#keys = db.collection('api_key');
  }

  async add({ id, name, hash, createdAt }: ApiKey): Promise<void> {
    await translated(async () => {
      try {
        await this.#keys.insertOne({ _id: hash, id, name, createdAt, order: 0 });
      } catch (error) {
        if (!isDuplicateKey(error)) throw error;
      }
    });
  }

  async replace({ id, name, hash, createdAt }: ApiKey): Promise<void> {
    await translated(async () => {
      const order = await nextNumber(this.#db, 'api_key.order');
      const write = () =>
        this.#keys.updateOne(
          { _id: hash },
          { $set: { name }, $max: { order }, $setOnInsert: { id, createdAt } },
          { upsert: true },
        );
      await write().catch((error: unknown) => {
        if (!isDuplicateKey(error)) throw error;
        return write(); // someone wrote the same hash at the same moment: it is there now
      });
      const [last] = await this.#keys.find({ name }).sort({ order: -1 }).limit(1).toArray();
      if (last !== undefined) await this.#keys.deleteMany({ name, order: { $lt: last.order } });
    });
  }

  async byHash(hash: string): Promise<ApiKey | undefined> {
    return translated(async () => {
      const found = await this.#keys.findOne({ _id: hash });
      if (found === null) return undefined;
      const { id, name, createdAt } = found;
      return { id, name, hash, createdAt };
    });
  }

  async count(): Promise<number> {
    return translated(() => this.#keys.countDocuments());
  }
}
