/** Sessions for which something is due (sessions/due-store.ts), by the field that the journal keeps (journal/session-writer.ts). */
import type { Collection, Filter } from 'mongodb';
import type { SessionId } from '../../../kernel/id.ts';
import type { Due, DuePage, DueStore } from '../../../sessions/due-store.ts';
import type { MongoDatabase } from '../database.ts';
import { translated } from '../translate-error.ts';

/** Of a session's document (journal/session-document.ts) what is asked for here. */
interface DueDocument {
  readonly _id: SessionId;
  readonly dueAt: number;
}

export class MongoDueStore implements DueStore {
  readonly #sessions: Collection<DueDocument>;

  constructor({ db }: Pick<MongoDatabase, 'db'>) {
    this.#sessions = db.collection('session');
  }

  async due({ limit, until, after }: DuePage): Promise<readonly Due[]> {
    return translated(async () => {
      const found = await this.#sessions
        .find(dueFilter({ until, after }), { projection: { dueAt: 1 } })
        .sort({ dueAt: 1, _id: 1 })
        .limit(limit)
        .toArray();
      return found.map(({ _id: id, dueAt }) => ({ id, dueAt }));
    });
  }
}

/** The first bound is for the index, in which nothing else is; the second decides within one millisecond. */
export function dueFilter({ until, after }: Pick<DuePage, 'until' | 'after'>): Filter<DueDocument> {
  if (after === undefined) return { dueAt: { $exists: true, $lte: until } };
  const { dueAt, id } = after;
  return {
    dueAt: { $exists: true, $gte: dueAt, $lte: until },
    $or: [{ dueAt: { $gt: dueAt } }, { dueAt, _id: { $gt: id } }],
  };
}
