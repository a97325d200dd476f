/**
 * Which secrets belong to this database: the mark that the first server left in it. Keys of models are sealed outside of the
 * database, so a server with other secrets could read no credential and would refuse the tokens of its neighbours.
 */
import type { Collection } from 'mongodb';
import type { MongoDatabase } from './database.ts';
import { insertOnce } from './insert-once.ts';
import { translated } from './translate-error.ts';

interface MarkDocument {
  readonly _id: 'secrets';
  readonly mark: string;
}

export class MongoSecretsMark {
  readonly #marks: Collection<MarkDocument>;

  constructor({ db }: Pick<MongoDatabase, 'db'>) {
    this.#marks = db.collection<MarkDocument>('holdfast');
  }

  /** Leaves the mark when there is none yet; false when another one is there. */
  async isOwn(mark: string): Promise<boolean> {
    const document = { _id: 'secrets', mark } as const;
    const find = (): Promise<MarkDocument | null> => this.#marks.findOne({ _id: 'secrets' });
    const outcome = await translated(() => insertOnce(this.#marks, document, find));
    return outcome.inserted || outcome.there.mark === mark;
  }
}
