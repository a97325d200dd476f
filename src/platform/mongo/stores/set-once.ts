/**
 * Words that the first server on a database left in it, for all that come after: which secrets belong to it, and a name that tells
 * it from any other database. They lie beside the schema's document (schema.ts).
 */
import type { MongoDatabase } from '../database.ts';
import { insertOnce } from '../insert-once.ts';
import { translated } from '../translate-error.ts';

interface WordDocument {
  readonly _id: 'secrets' | 'identity';
  readonly word: string;
}

/** Answers the word that is there under `_id`; leaves `word` when there is none yet. */
export async function setOnce(
  { db }: Pick<MongoDatabase, 'db'>,
  _id: WordDocument['_id'],
  word: string,
): Promise<string> {
  const words = db.collection<WordDocument>('holdfast');
  const outcome = await translated(() => insertOnce(words, { _id, word }, () => words.findOne({ _id })));
  return outcome.inserted ? word : outcome.there.word;
}
