/**
 * Deleting sessions (sessions/deletion-store.ts) over MongoDB. The tombstone takes the place of the session's document (session-tombstone.ts);
 * what lies beside it is found by ids that begin with the session's, or by an index.
 *
 * Another server may be writing pages and bodies for an append that it decided on before it was begun: they lie where nobody looks, and are gone
 * with the last look, after LATE_MS (supervisor/erasure.ts ERASURE-3).
 */
import { randomUUID } from 'node:crypto';
import type { Collection, Db, Filter } from 'mongodb';
import type { Clock } from '../../../kernel/clock.ts';
import type { OrganisationId, SessionId } from '../../../kernel/id.ts';
import type { DeletionStore, Begun, Standing, Tombstone } from '../../../sessions/deletion-store.ts';
import type { Ownership } from '../ownership.ts';
import { RETRY_BUDGET_MS, RetryBudget, withRetries } from '../retry-budget.ts';
import type { SessionHead } from './session-collection.ts';
import { isTombstone, type StoredTombstone, storedTombstone, tombstoneOf } from './session-tombstone.ts';

/** Documents that one command removes: a page has up to a hundred events, and other commands come in between. */
const ERASED_AT_ONCE = 200;
/** A write is tried for RETRY_BUDGET_MS at most, and a server that had stood still for a while is known to be dead sooner. */
const LATE_MS = 2 * RETRY_BUDGET_MS;

interface Identified {
  readonly _id: string;
}
type Stored =
  | (SessionHead & { readonly organisationId?: OrganisationId | null | undefined })
  | StoredTombstone;

export interface MongoDeletionsPorts {
  readonly db: Db;
  readonly ownership: Ownership;
  readonly clock: Clock;
  /** Once it is begun: everybody is told. */
  gone(sessionId: SessionId, head: number): void;
}

export class MongoDeletions implements DeletionStore {
  readonly lateMs = LATE_MS;
  readonly #ports: MongoDeletionsPorts;
  readonly #documents: Collection<Stored>;

  constructor(ports: MongoDeletionsPorts) {
    this.#ports = ports;
    this.#documents = ports.db.collection<Stored>('session');
  }

  async begin(tombstone: Tombstone, seen?: Standing): Promise<Begun | undefined> {
    const { ownership, clock, gone } = this.#ports;
    const { id, organisationId } = tombstone;
    const markId = randomUUID();
    const document = storedTombstone(tombstone, markId, ownership);
    const asSeen = seen === undefined ? {} : { status: seen.status, 'state.statusAt': seen.statusAt }; // RETENTION-4
    const own = { _id: id, ...ownership.by(organisationId), ...asSeen } as Filter<Stored>; // the driver's types know no null
    const budget = new RetryBudget(clock);
    for (;;) {
      const before = await withRetries(clock, () =>
        this.#documents.findOneAndReplace(own, document, { projection: { head: 1, waitsAt: 1 } }),
      );
      if (before !== null) {
        await this.#tellInboxes([id], !('waitsAt' in before));
        gone(id, 'head' in before ? before.head : 0);
        return { tombstone, replayed: false };
      }
      const found = await this.#find(id);
      if (found === undefined) return undefined;
      if (isTombstone(found)) return this.#begunBefore(found, tombstone, markId);
      if (ownership.read(found) !== organisationId || seen !== undefined) return undefined;
      await budget.waitOrThrow(); // the tombstone of another is not a majority's yet
    }
  }

  async tombstone(id: SessionId, organisationId: OrganisationId): Promise<Tombstone | undefined> {
    const found = await this.#find(id);
    if (found === undefined || !isTombstone(found)) return undefined;
    const tombstone = tombstoneOf(found, this.#ports.ownership);
    return tombstone.organisationId === organisationId ? tombstone : undefined;
  }

  async pending({ limit, after }: Parameters<DeletionStore['pending']>[0]): Promise<readonly SessionId[]> {
    const behind = after === undefined ? {} : { _id: { $gt: after } };
    const filter = { 'deleted.pending': true, ...behind } as Filter<Stored>; // a path of one of its kinds
    const found = await withRetries(this.#ports.clock, () =>
      this.#documents
        .find(filter, { projection: { _id: 1 } })
        .sort({ _id: 1 })
        .limit(limit)
        .toArray(),
    );
    return found.map(({ _id }) => _id);
  }

  async erase(ids: readonly SessionId[]): Promise<readonly SessionId[]> {
    const erased: SessionId[] = [];
    let left = ERASED_AT_ONCE;
    for (const id of ids) {
      const count = await this.#eraseSome(id, left);
      left -= count;
      if (left <= 0) break;
      erased.push(id);
    }
    if (erased.length > 0) await this.#eraseTold(erased);
    return erased;
  }

  async finish(ids: readonly SessionId[]): Promise<void> {
    await this.#tellInboxes(ids);
    const begun = { _id: { $in: [...ids] }, 'deleted.pending': true } as Filter<Stored>; // as above
    await withRetries(this.#ports.clock, () =>
      this.#documents.updateMany(begun, { $unset: { 'deleted.pending': '' } as never }),
    ); // as above
  }

  /** The storage engine writes over what is free by itself. */
  async overwrite(): Promise<boolean> {
    return true;
  }

  async #find(id: SessionId): Promise<Stored | undefined> {
    const found = await withRetries(this.#ports.clock, () =>
      this.#documents.findOne({ _id: id } as Filter<Stored>, {
        projection: { head: 1, organisationId: 1, deleted: 1 },
      }),
    );
    return found ?? undefined;
  }

  /**
   * INBOX-3. Beside the mark, which cannot ask for the time of the database; who dies in between leaves it to who erases. To those who never
   * knew the session it is a change of nothing, and is left out where that is known.
   */
  async #tellInboxes(ids: readonly SessionId[], neverWaited = false): Promise<void> {
    const untold = {
      _id: { $in: [...ids] },
      'deleted.pending': true,
      'deleted.waitsAt': { $exists: false },
      'deleted.neverWaited': { $exists: false },
    } as Filter<Stored>; // as above
    const told = neverWaited
      ? { $set: { 'deleted.neverWaited': true } }
      : { $currentDate: { 'deleted.waitsAt': true } };
    await withRetries(this.#ports.clock, () => this.#documents.updateMany(untold, told as never)); // as above
  }

  /** One whose answer was lost finds itself. */
  #begunBefore(found: StoredTombstone, { organisationId }: Tombstone, markId: string): Begun | undefined {
    const tombstone = tombstoneOf(found, this.#ports.ownership);
    if (tombstone.organisationId !== organisationId) return undefined;
    const isOwn = found.deleted.markId === markId;
    if (isOwn) this.#ports.gone(found._id, 0);
    return { tombstone, replayed: !isOwn };
  }

  /** Answers how many documents went, at most `most`; as many as that: there may be more. */
  async #eraseSome(id: SessionId, most: number): Promise<number> {
    const { db, clock } = this.#ports;
    const ofSession = { _id: { $gte: `${id}/`, $lt: `${id}0` } }; // '0' comes after '/'
    const parts: readonly (readonly [name: string, filter: Filter<Identified>])[] = [
      ['page', ofSession],
      ['body', ofSession],
      ['turn', { sessionId: id }],
    ];
    let count = 0;
    for (const [name, filter] of parts) {
      const collection = db.collection<Identified>(name);
      count += await withRetries(clock, async () => {
        const found = await collection
          .find(filter, { projection: { _id: 1 } })
          .limit(most - count)
          .toArray();
        const _id = { $in: found.map((one) => one._id) };
        if (found.length > 0) await collection.deleteMany({ _id });
        return found.length;
      });
      if (count >= most) break;
    }
    return count;
  }

  /** What servers have told each other of them last (live-outbox.ts): it stands there until they tell something else. */
  async #eraseTold(ids: readonly SessionId[]): Promise<void> {
    const sessionId = { $in: [...ids] };
    const lists = ['hints', 'deltas', 'thinking'];
    const any = { $or: lists.map((list) => ({ [`${list}.sessionId`]: sessionId })) };
    const pull = Object.fromEntries(lists.map((list) => [list, { sessionId }]));
    await withRetries(this.#ports.clock, () =>
      this.#ports.db.collection('live').updateMany(any, { $pull: pull as never }),
    ); // as above
  }
}
