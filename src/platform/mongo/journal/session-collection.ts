/** The documents of sessions: reading them together, lists, and the one compare-and-set that is an append. Whose they are is translated here. */
import {
  type Collection,
  type Db,
  type Document,
  type Filter,
  type FindOptions,
  MongoBulkWriteError,
  MongoServerError,
  type UpdateFilter,
} from 'mongodb';
import type { Clock } from '../../../kernel/clock.ts';
import type { OrganisationId, SessionId } from '../../../kernel/id.ts';
import type { SessionOrigin } from '../../../sessions/session.ts';
import type { SessionFilter, SessionPage } from '../../../sessions/session-store.ts';
import { Batch } from '../batch.ts';
import { insertOnce } from '../insert-once.ts';
import { NEWEST_FIRST, olderThan } from '../newest-first.ts';
import type { Owned, Ownership } from '../ownership.ts';
import { withRetries } from '../retry-budget.ts';
import type { Page, SessionDocument } from './session-document.ts';
import { isTombstone, sessionIn, type StoredTombstone } from './session-tombstone.ts';

/** As it lies in the database. */
type StoredSession = Omit<SessionDocument, 'organisationId'> & Owned;
type Found<T> = T | StoredTombstone | undefined;
export type SessionHead = Pick<SessionDocument, '_id' | 'head'>;
export type SessionRecord = Omit<SessionDocument, 'tail'>;

/** Ids in one read: some hundred kilobytes of answer. */
const READ_MAX = 100;
/** Sessions in one write, and the bytes after which it is sent: far below the 48 MB of a message. */
const WRITE_MAX = 200;
const WRITE_BYTES_MAX = 4 * 1024 * 1024;
/** Of each kind of request at a time: enough to keep the server busy, few enough to let requests gather. */
const IN_FLIGHT_MAX = 4;

/** One append as it is written: only if the session's head is still `after`. */
export interface HeadMove {
  readonly sessionId: SessionId;
  readonly after: number;
  readonly set: Partial<SessionDocument>;
  /** What the document does not have any more. */
  readonly unset: readonly ('wantedSince' | 'dueAt' | 'waitsSince')[];
  /** What it waits for from people, or that it does, is new. */
  readonly waitsChanged: boolean;
  readonly page: Page;
  /** How many of the newest pages stay in the session's document, this one included. */
  readonly keep: number;
  /** About how large the write is. */
  readonly bytes: number;
}

/** `unsure`: the head, or that of a neighbour in the same request, was not where it was expected; the log tells. */
export type Moved = 'moved' | 'unsure';

export class SessionCollection {
  readonly #documents: Collection<StoredSession>;
  readonly #ownership: Ownership;
  readonly #clock: Clock;
  readonly #load: Batch<SessionId, Found<StoredSession>>;
  readonly #record: Batch<SessionId, Found<Omit<StoredSession, 'tail'>>>;
  readonly #head: Batch<SessionId, Found<SessionHead & Owned>>;
  readonly #newestHead: Batch<SessionId, SessionHead | undefined>;
  readonly #move: Batch<HeadMove, Moved | MongoServerError>;

  constructor(db: Db, clock: Clock, ownership: Ownership) {
    this.#documents = db.collection<StoredSession>('session');
    this.#ownership = ownership;
    this.#clock = clock;
    this.#load = this.#reading<StoredSession | StoredTombstone>();
    this.#record = this.#reading<Omit<StoredSession, 'tail'> | StoredTombstone>({ tail: 0 });
    this.#head = this.#reading<(SessionHead & Owned) | StoredTombstone>({ head: 1, deleted: 1 });
    this.#newestHead = this.#reading<SessionHead>({ head: 1 }, { readConcern: { level: 'local' } });
    this.#move = new Batch({
      itemsMax: WRITE_MAX,
      inFlightMax: IN_FLIGHT_MAX,
      bytesMax: WRITE_BYTES_MAX,
      bytesOf: ({ bytes }) => bytes,
      run: (moves) => this.#moveAll(moves),
    });
  }

  /** The whole document, if it is that organisation's, where one is named. Throws SessionGone. */
  async load(id: SessionId, organisationId?: OrganisationId): Promise<SessionDocument | undefined> {
    return sessionIn(this.#owned(await this.#load.add(id)), this.#ownership, organisationId);
  }

  /** The same without its newest pages. Throws SessionGone. */
  async record(id: SessionId, organisationId?: OrganisationId): Promise<SessionRecord | undefined> {
    return sessionIn(this.#owned(await this.#record.add(id)), this.#ownership, organisationId);
  }

  /** Throws SessionGone. */
  async head(id: SessionId): Promise<number | undefined> {
    return sessionIn(this.#owned(await this.#head.add(id)), this.#ownership, undefined)?.head;
  }

  /**
   * The head as the primary has it, a majority or not: never behind anything that was acknowledged, which what a majority has can be
   * after an election. Undefined also when it is deleted. For deciding, not for showing (JOURNAL-2).
   */
  async newestHead(id: SessionId): Promise<number | undefined> {
    return (await this.#newestHead.add(id))?.head;
  }

  /** Throws what the driver does; whether it was written is unknown then, too. */
  async move(move: HeadMove): Promise<Moved> {
    const moved = await this.#move.add(move);
    if (moved instanceof MongoServerError) throw moved;
    return moved;
  }

  /** The session that has the id, or else the natural key. Throws SessionGone when the id had one. */
  async find({
    id,
    organisationId,
    key,
  }: Pick<SessionOrigin, 'id' | 'organisationId' | 'key'>): Promise<SessionDocument | undefined> {
    const owned = this.#ownership.by(organisationId);
    const found = await withRetries(this.#clock, async () => {
      const own = await this.#documents.findOne<StoredSession | StoredTombstone>({ _id: id });
      return own ?? (key === undefined ? null : this.#documents.findOne({ ...owned, key }));
    });
    return sessionIn(this.#owned(found ?? undefined), this.#ownership, organisationId);
  }

  /** Inserts, or answers the one that has the id or the natural key. */
  create(document: SessionDocument): Promise<{ created: boolean; document: SessionDocument }> {
    const { _id: id, organisationId, key, createdBy } = document;
    const stored = { ...document, organisationId: this.#ownership.stored(organisationId) };
    const find = async (): Promise<SessionDocument | null> =>
      (await this.find({ id, organisationId, key })) ?? null;
    return withRetries(this.#clock, async () => {
      const outcome = await insertOnce(this.#documents, stored, find);
      if (outcome.inserted) return { created: true, document };
      // an insert whose answer was lost finds itself
      const there = { ...outcome.there, organisationId }; // find() answers no other's
      return { created: there.createdBy === createdBy, document: there };
    });
  }

  /** Takes back one that this process has created and nobody has appended to since: one that a forced deletion has archived meanwhile stays. */
  async takeBack({ _id, createdBy, head }: SessionDocument): Promise<void> {
    await withRetries(this.#clock, () => this.#documents.deleteOne({ _id, createdBy, head }));
  }

  async list(
    organisationId: OrganisationId,
    { status, agentId, key }: SessionFilter,
    { limit, before }: SessionPage,
  ): Promise<SessionRecord[]> {
    const filter: Filter<StoredSession> = {
      ...this.#ownership.by(organisationId),
      ...(status === undefined ? {} : { status }),
      ...(agentId === undefined ? {} : { agentId }),
      ...(key === undefined ? {} : { key }),
      ...olderThan(before),
    };
    const found = await withRetries(this.#clock, () =>
      this.#documents
        .find<Omit<StoredSession, 'tail'>>(filter, { projection: { tail: 0 } })
        .sort(NEWEST_FIRST)
        .limit(limit)
        .toArray(),
    );
    return found.map((document) => ({ ...document, organisationId: this.#ownership.read(document) }));
  }

  #reading<T extends { readonly _id: SessionId }>(
    projection?: Document,
    concern: FindOptions = {},
  ): Batch<SessionId, T | undefined> {
    return new Batch<SessionId, T | undefined>({
      itemsMax: READ_MAX,
      inFlightMax: IN_FLIGHT_MAX,
      run: async (ids) => {
        const distinct = [...new Set(ids)];
        const _id = distinct.length === 1 ? distinct[0] : { $in: distinct };
        const options = projection === undefined ? concern : { ...concern, projection };
        // the projection makes a T of it
        const found = await withRetries(this.#clock, () =>
          this.#documents.find<T>({ _id } as Filter<StoredSession>, options).toArray(),
        );
        const byId = new Map(found.map((document) => [document._id, document]));
        return ids.map((id) => byId.get(id));
      },
    });
  }

  /** As everybody else knows it: it names the first organisation, too. */
  #owned<T extends Owned & object>(found: Found<T>): Found<T & { readonly organisationId: OrganisationId }> {
    if (found === undefined || isTombstone(found)) return found;
    return { ...found, organisationId: this.#ownership.read(found) };
  }

  /** One round trip for all. When somebody was in the way of one of them, the answer does not say of which. */
  async #moveAll(moves: readonly HeadMove[]): Promise<readonly (Moved | MongoServerError)[]> {
    try {
      const { matchedCount } = await this.#documents.bulkWrite(
        moves.map((move) => ({
          updateOne: { filter: { _id: move.sessionId, head: move.after }, update: updateOf(move) },
        })),
        { ordered: false },
      );
      return moves.map(() => (matchedCount === moves.length ? 'moved' : 'unsure'));
    } catch (error) {
      const refused = refusedOf(error);
      if (refused.size === 0) throw error;
      return moves.map((_, index) => refused.get(index) ?? 'unsure'); // one that cannot be written harms no neighbour
    }
  }
}

/** The writes of a request that the server refused, each with an error of its own. */
function refusedOf(error: unknown): ReadonlyMap<number, MongoServerError> {
  if (!(error instanceof MongoBulkWriteError)) return new Map();
  const refused = [error.writeErrors].flat();
  return new Map(
    refused.map(({ index, code, errmsg = '' }) => [
      index,
      new MongoServerError({ code, errmsg, message: errmsg }),
    ]),
  );
}

function updateOf({ set, unset, waitsChanged, page, keep }: HeadMove): UpdateFilter<StoredSession> {
  return {
    $set: set,
    ...(unset.length === 0 ? {} : { $unset: Object.fromEntries(unset.map((name) => [name, ''])) }),
    ...(waitsChanged ? { $currentDate: { waitsAt: true } } : {}), // INBOX-3: one clock for all servers
    $push: { tail: { $each: [page], $slice: -keep } },
  };
}
