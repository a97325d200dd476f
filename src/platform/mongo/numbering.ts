/**
 * Numbers that only grow, over all processes: each call has one of its own. A number that is not used is no harm, so who takes
 * one and crashes leaves nothing to mend.
 */
import type { Db } from 'mongodb';
import { must } from '../../kernel/assert.ts';
import { isDuplicateKey } from './translate-error.ts';

interface NumberingDocument {
  /** What is numbered. */
  readonly _id: string;
  readonly last: number;
}

export async function nextNumber(db: Db, what: string): Promise<number> {
  // Of two who make the first one at once, one may lose: then it is there now.
  const taken = (await take(db, what)) ?? (await take(db, what));
  return must(taken, 'a document that is there is updated').last;
}

async function take(db: Db, what: string): Promise<NumberingDocument | null> {
  try {
    return await db
      .collection<NumberingDocument>('numbering')
      .findOneAndUpdate({ _id: what }, { $inc: { last: 1 } }, { upsert: true, returnDocument: 'after' });
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    return null;
  }
}
