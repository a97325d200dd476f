/** What tells this database from any other, also from one of the same name: a word that its first server made up. */
import { randomUUID } from 'node:crypto';
import type { MongoDatabase } from './database.ts';
import { insertOnce } from './insert-once.ts';
import { translated } from './translate-error.ts';

interface IdentityDocument {
  readonly _id: 'identity';
  readonly word: string;
}

export async function identityOf({ db }: Pick<MongoDatabase, 'db'>): Promise<string> {
  const documents = db.collection<IdentityDocument>('holdfast');
  const own: IdentityDocument = { _id: 'identity', word: randomUUID() };
  const outcome = await translated(() =>
    insertOnce(documents, own, () => documents.findOne({ _id: 'identity' })),
  );
  return outcome.inserted ? own.word : outcome.there.word;
}
