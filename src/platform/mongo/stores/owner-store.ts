/**
 * Heartbeats of supervisors (supervisor/owner-store.ts). Who has died is swept out by those who watched it (owners.ts): a TTL index
 * would delete by the database server's clock.
 *
 * Servers of the version before may run beside this one. They look whether `expiresAt` changes and whether it is long past, and
 * sweep out what is a day past; their own documents have nothing else, and it is another number after each of their beats, too.
 */
import type { Collection } from 'mongodb';
import { type Clock, systemClock } from '../../../kernel/clock.ts';
import type { Heartbeat, OwnerStore } from '../../../supervisor/owner-store.ts';
import type { MongoDatabase } from '../database.ts';
import { isDuplicateKey, translated } from '../translate-error.ts';

interface OwnerDocument {
  /** The owner's name. */
  readonly _id: string;
  /** Absent: of a server of the version before. */
  readonly beats?: number | undefined;
  /** For servers of the version before only. */
  readonly expiresAt?: number | undefined;
  /** Absent: of a server that knows of no organisations (organisation-store.ts). */
  readonly knowsOrganisations?: true | undefined;
}

/** Those of servers that know of no organisations. The dead among them are forgotten by whoever watched them (owners.ts). */
export const OLDER_OWNERS = { knowsOrganisations: { $exists: false } } as const;

/** So far ahead no clock of a server of the version before takes the heartbeat for one that is long past. */
const AHEAD_MS = 86_400_000;

export class MongoOwnerStore implements OwnerStore {
  readonly #owners: Collection<OwnerDocument>;
  readonly #clock: Pick<Clock, 'now'>;

  constructor({ db }: Pick<MongoDatabase, 'db'>, clock: Pick<Clock, 'now'> = systemClock) {
    this.#owners = db.collection('owner');
    this.#clock = clock;
  }

  async beat(owner: string): Promise<void> {
    const update = {
      $inc: { beats: 1 },
      $set: { expiresAt: this.#clock.now() + AHEAD_MS, knowsOrganisations: true },
    } as const;
    const write = () => this.#owners.updateOne({ _id: owner }, update, { upsert: true });
    await translated(() =>
      write().catch((error: unknown) => {
        if (!isDuplicateKey(error)) throw error;
        return write(); // a retried first beat met itself: it is there now
      }),
    );
  }

  async heartbeats(): Promise<readonly Heartbeat[]> {
    return translated(async () => {
      const found = await this.#owners.find().sort({ _id: 1 }).toArray();
      return found.map(({ _id, beats, expiresAt }) => ({ owner: _id, beats: beats ?? expiresAt ?? 0 }));
    });
  }

  async retire(owner: string): Promise<void> {
    await translated(() => this.#owners.deleteOne({ _id: owner }));
  }
}
