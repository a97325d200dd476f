/** Inserting a document that may be there already, told from the answer and not by looking first. */
import type { Collection, OptionalUnlessRequiredId, WithId } from 'mongodb';
import { setTimeout as pause } from 'node:timers/promises';
import { isDuplicateKey } from './translate-error.ts';

/** The other one is seen when a majority has it, usually within milliseconds. */
const LOOK_MAX = 100;
const LOOK_MS = 20;

/**
 * Inserts `document`. When its `_id` or a unique value of it is taken, answers what `find` finds. The one that is in the way
 * may not be acknowledged by a majority yet: it is waited for, or this one takes its place should it be rolled back.
 */
export async function insertOnce<T extends { readonly _id: string }>(
  collection: Collection<T>,
  document: OptionalUnlessRequiredId<T>,
  find: () => Promise<WithId<T> | null>,
): Promise<{ readonly inserted: true } | { readonly inserted: false; readonly there: WithId<T> }> {
  for (let look = 1; ; look += 1) {
    try {
      await collection.insertOne(document);
      return { inserted: true };
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      const there = await find();
      if (there !== null) return { inserted: false, there };
      if (look === LOOK_MAX) throw error;
    }
    await pause(LOOK_MS);
  }
}
