/** The first organisation of a database: which one it is, as the first server that asked left it. */
import type { Collection, Db } from 'mongodb';
import { newId, type OrganisationId } from '../../kernel/id.ts';
import { insertOnce } from './insert-once.ts';

/** Beside the schema's document (schema.ts). */
interface FirstDocument {
  readonly _id: string;
  readonly word: OrganisationId;
}

const PLACE = 'organisation';

/** Made at the first call, the same for ever. */
export async function firstOrganisationOf(db: Db): Promise<OrganisationId> {
  const words: Collection<FirstDocument> = db.collection('holdfast');
  const find = () => words.findOne({ _id: PLACE });
  const known = await find();
  if (known !== null) return known.word;
  const word = newId('organisation');
  const made = await insertOnce(words, { _id: PLACE, word }, find);
  return made.inserted ? word : made.there.word;
}
