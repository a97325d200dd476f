/**
 * What revokes client tokens (access/token-generation-store.ts): one document per session or key, by its id. A raise that is made twice, since
 * its answer was lost, revokes no more than once would.
 */
import type { Collection } from 'mongodb';
import type { TokenGenerationStore, TokenSubject } from '../../../access/token-generation-store.ts';
import type { OrganisationId } from '../../../kernel/id.ts';
import { Batch } from '../batch.ts';
import type { MongoDatabase } from '../database.ts';
import { type Owned, Ownership } from '../ownership.ts';
import { isDuplicateKey, translated } from '../translate-error.ts';

interface GenerationDocument extends Owned {
  readonly _id: TokenSubject;
  readonly generation: number;
}

/** Sessions and keys in one look-up. */
const LOOK_UPS_MAX = 500;
/** Enough to keep the server busy, few enough to let requests gather. */
const IN_FLIGHT_MAX = 4;

export class MongoTokenGenerationStore implements TokenGenerationStore {
  readonly #generations: Collection<GenerationDocument>;
  readonly #ownership: Ownership;
  readonly #lookUps: Batch<TokenSubject, number>;

  constructor({ db, firstOrganisation }: Pick<MongoDatabase, 'db' | 'firstOrganisation'>) {
    this.#generations = db.collection('token_generation');
    this.#ownership = new Ownership(firstOrganisation);
    this.#lookUps = new Batch({
      itemsMax: LOOK_UPS_MAX,
      inFlightMax: IN_FLIGHT_MAX,
      run: (subjects) => translated(() => this.#find(subjects)),
    });
  }

  generationsOf(subjects: readonly TokenSubject[]): Promise<readonly number[]> {
    return Promise.all(subjects.map((subject) => this.#lookUps.add(subject)));
  }

  async raise(organisationId: OrganisationId, subject: TokenSubject): Promise<void> {
    const owner = { organisationId: this.#ownership.stored(organisationId) };
    const raise = () =>
      this.#generations.updateOne(
        { _id: subject },
        { $inc: { generation: 1 }, $setOnInsert: owner },
        { upsert: true },
      );
    await translated(() =>
      raise().catch((error: unknown) => {
        if (!isDuplicateKey(error)) throw error;
        return raise(); // somebody made it at the same moment: it is there now
      }),
    );
  }

  async #find(subjects: readonly TokenSubject[]): Promise<readonly number[]> {
    const found = await this.#generations.find({ _id: { $in: [...new Set(subjects)] } }).toArray();
    const bySubject = new Map(found.map(({ _id, generation }) => [_id, generation]));
    return subjects.map((subject) => bySubject.get(subject) ?? 0);
  }
}
