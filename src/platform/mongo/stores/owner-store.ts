/**
 * Heartbeats of supervisors (supervisor/owner-store.ts). Expiry is a number of the supervisors' clocks, as in the port, and the
 * supervisors sweep: a TTL index would want a date, would delete by the database server's clock, and would be one more thing
 * that runs by itself. What is swept is long dead, so it does not matter who sweeps or how often.
 */
import type { Collection } from 'mongodb';
import type { Heartbeat, OwnerStore } from '../../../supervisor/owner-store.ts';
import type { MongoDatabase } from '../database.ts';
import { isDuplicateKey, translated } from '../translate-error.ts';

interface OwnerDocument {
  /** The owner's name. */
  readonly _id: string;
  readonly expiresAt: number;
}

/** Every start of a server is a new owner: those that have been dead for a day are swept out by the next heartbeat. */
const DEAD_KEPT_MS = 86_400_000;

export class MongoOwnerStore implements OwnerStore {
  readonly #owners: Collection<OwnerDocument>;

  constructor({ db }: MongoDatabase) {
    this.#owners = db.collection('owner');
  }

  async beat(owner: string, expiresAt: number): Promise<void> {
    await translated(async () => {
      const write = () => this.#owners.updateOne({ _id: owner }, { $max: { expiresAt } }, { upsert: true });
      await write().catch((error: unknown) => {
        if (!isDuplicateKey(error)) throw error;
        return write(); // a retried first beat met itself: it is there now
      });
      await this.#owners.deleteMany({ expiresAt: { $lt: expiresAt - DEAD_KEPT_MS } });
    });
  }

  async heartbeats(): Promise<readonly Heartbeat[]> {
    return translated(async () => {
      const found = await this.#owners.find().sort({ _id: 1 }).toArray();
      return found.map(({ _id, expiresAt }) => ({ owner: _id, expiresAt }));
    });
  }

  async retire(owner: string): Promise<void> {
    await translated(() => this.#owners.deleteOne({ _id: owner }));
  }
}
