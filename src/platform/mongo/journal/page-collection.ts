/** The older part of the logs: pages, the turns that ended in them, and large bodies. All are written once and never changed. */
import { createHash } from 'node:crypto';
import type { Collection, Db, Document } from 'mongodb';
import type { Clock } from '../../../kernel/clock.ts';
import type { SessionId, TurnId } from '../../../kernel/id.ts';
import { APPEND_EVENTS_MAX } from '../../../kernel/limit.ts';
import { type EventFilter, isOpen, levelsOf } from '../../../journal/event-filter.ts';
import type { RecordedEvent } from '../../../journal/event.ts';
import type { LateUsage } from '../../../sessions/append-plan.ts';
import { addUsage } from '../../../sessions/cost.ts';
import type { Turn } from '../../../sessions/session.ts';
import { Batch } from '../batch.ts';
import { withRetries } from '../retry-budget.ts';
import {
  type Page,
  type PageDocument,
  pageIdOf,
  recordedEvents,
  type StoredKey,
} from './session-document.ts';
import { isOnlyDuplicates } from '../translate-error.ts';

interface BodyDocument {
  readonly _id: string;
  readonly text: string;
}
type TurnDocument = Turn & { readonly _id: TurnId; readonly sessionId: SessionId };
/** What a turn used after it had ended for good. Its id is the turn's with the place in the log: `trn_…/<seq of its page>/<place>`. */
interface LateUsageDocument extends LateUsage {
  readonly _id: string;
  readonly sessionId: SessionId;
  readonly firstSeq: number;
}

/** Pages in one write, and the bytes after which it is sent: far below the 48 MB of a message. */
const WRITE_MAX = 500;
const WRITE_BYTES_MAX = 4 * 1024 * 1024;
/** Append keys in one look-up. */
const KEYS_MAX = 200;
const IN_FLIGHT_MAX = 2;
/** Pages in one answer to a scan: it may end after any of them, and what is on its way is lost. */
const SCAN_BATCH = 20;

interface Storing {
  readonly sessionId: SessionId;
  readonly page: Page;
  readonly bytes: number;
}

export class PageCollection {
  readonly #pages: Collection<PageDocument>;
  readonly #turns: Collection<TurnDocument | LateUsageDocument>;
  readonly #bodies: Collection<BodyDocument>;
  readonly #clock: Clock;
  readonly #store: Batch<Storing, void>;
  readonly #key: Batch<string, StoredKey | undefined>;

  constructor(db: Db, clock: Clock) {
    // What lies here is of appends that a majority had before (or of none), so none of it can be taken back; and a new primary
    // knows all of it at once, while what it knows a majority to have may lag: a key would seem unused, a page missing.
    const options = { readConcern: { level: 'local' } } as const;
    this.#pages = db.collection<PageDocument>('page', options);
    this.#turns = db.collection<TurnDocument | LateUsageDocument>('turn', options);
    this.#bodies = db.collection<BodyDocument>('body', options);
    this.#clock = clock;
    this.#store = new Batch({
      itemsMax: WRITE_MAX,
      inFlightMax: IN_FLIGHT_MAX,
      bytesMax: WRITE_BYTES_MAX,
      bytesOf: ({ bytes }) => bytes,
      run: (pages) => this.#storeAll(pages),
    });
    this.#key = new Batch({
      itemsMax: KEYS_MAX,
      inFlightMax: IN_FLIGHT_MAX,
      run: (ids) => this.#findKeys(ids),
    });
  }

  /** Resolves when the pages are as durable as the session's document; again is no matter. */
  async store(
    sessionId: SessionId,
    pages: readonly { readonly page: Page; readonly bytes: number }[],
  ): Promise<void> {
    await Promise.all(pages.map(({ page, bytes }) => this.#store.add({ sessionId, page, bytes })));
  }

  /** The append that used a key, among those that are no longer in their session's document. */
  key(id: string): Promise<StoredKey | undefined> {
    return this.#key.add(id);
  }

  /** The keys of the session's pages with after < seq <= last. */
  async keysBetween(sessionId: SessionId, after: number, last: number): Promise<readonly StoredKey[]> {
    const _id = { $gt: pageIdOf(sessionId, after), $lte: pageIdOf(sessionId, last) };
    const found = await withRetries(this.#clock, () =>
      this.#pages.find({ _id }, { projection: { keys: 1 } }).toArray(),
    );
    return found.flatMap(({ keys = [] }) => keys);
  }

  /**
   * Events with after < seq <= last, ascending, at most `bytesMax` of bodies but at least one. Costs by what it answers: both
   * ends of the range are bounded, and it begins at the page that holds after + 1.
   */
  async range(
    sessionId: SessionId,
    { after, last, bytesMax }: { readonly after: number; readonly last: number; readonly bytesMax: number },
  ): Promise<readonly RecordedEvent[]> {
    return withRetries(this.#clock, async () => {
      const events: RecordedEvent[] = [];
      let bytes = 0;
      for await (const page of this.#pagesFrom(sessionId, after, last)) {
        for (const event of recordedEvents(sessionId, page)) {
          if (event.seq <= after || event.seq > last) continue;
          bytes += event.body.length;
          if (bytes > bytesMax && events.length > 0) return events;
          events.push(event);
        }
      }
      return events;
    });
  }

  /**
   * Gives `take` the events of pages that hold one which passes, in order, until it answers false; those beside them too. Pages
   * without any are looked at by the server and stay there. Answers what `take` did last. A retry begins behind what was taken.
   */
  async each(
    sessionId: SessionId,
    { after, last, filter }: { readonly after: number; readonly last: number; readonly filter: EventFilter },
    take: (event: RecordedEvent) => boolean,
  ): Promise<boolean> {
    let taken = after;
    return withRetries(this.#clock, async () => {
      const _id = { $gte: leastPageId(sessionId, taken + 1), $lte: pageIdOf(sessionId, last) };
      const match = isOpen(filter) ? {} : { events: { $elemMatch: matchOf(filter) } };
      await using pages = this.#pages
        .find({ _id, ...match })
        .sort({ _id: 1 })
        .batchSize(SCAN_BATCH);
      for await (const page of pages) {
        for (const event of recordedEvents(sessionId, page)) {
          if (event.seq <= taken) continue;
          if (!take(event)) return false;
          taken = event.seq;
        }
      }
      return true;
    });
  }

  /** The page that holds this event. */
  async pageOf(sessionId: SessionId, seq: number): Promise<Page | undefined> {
    const [page] = await withRetries(this.#clock, () =>
      this.#pages
        .find({ _id: { $gte: leastPageId(sessionId, seq), $lte: pageIdOf(sessionId, seq) } })
        .sort({ _id: -1 })
        .limit(1)
        .toArray(),
    );
    return page;
  }

  /** Answers its id: bodies are known by their content, so that a write that is tried again finds its own. */
  async storeBody(sessionId: SessionId, text: string): Promise<string> {
    const _id = `${sessionId}/${createHash('sha256').update(text).digest('hex')}`;
    await withRetries(this.#clock, () => once(() => this.#bodies.insertOne({ _id, text })));
    return _id;
  }

  async forgetBodies(ids: readonly string[]): Promise<void> {
    if (ids.length > 0)
      await withRetries(this.#clock, () => this.#bodies.deleteMany({ _id: { $in: [...ids] } }));
  }

  async body(id: string): Promise<string | undefined> {
    return (await withRetries(this.#clock, () => this.#bodies.findOne({ _id: id })))?.text;
  }

  /** Those of these turns of the session that have ended for good, with what is known of them in pages up to the seq `logged`. */
  async turns(sessionId: SessionId, ids: readonly TurnId[], logged: number): Promise<readonly Turn[]> {
    const own = ids.map((id) => ({ _id: { $gte: id, $lt: `${id}0` as TurnId } })); // '0' follows '/'
    const filter = { sessionId, $or: own };
    const options = { projection: { _id: 0, sessionId: 0 } };
    const found = await withRetries(this.#clock, () =>
      this.#turns.find<Turn | Omit<LateUsageDocument, '_id' | 'sessionId'>>(filter, options).toArray(),
    );
    const late = found.filter((one) => 'turnId' in one).filter(({ firstSeq }) => firstSeq <= logged);
    return found.filter((one) => 'number' in one).map((turn) => withLateUsage(turn, late));
  }

  async *#pagesFrom(sessionId: SessionId, after: number, last: number): AsyncGenerator<Page> {
    const from = pageIdOf(sessionId, after + 1);
    await using others = this.#pages
      .find({ _id: { $gt: from, $lte: pageIdOf(sessionId, last) } })
      .sort({ _id: 1 })
      .limit(last - after);
    // asked for together; that the first event begins its page is the rule
    const asked = last > after + 1 ? others.hasNext() : Promise.resolve(false);
    const [exact] = await Promise.all([this.#pages.findOne({ _id: from }), asked]);
    const first = exact ?? (await this.pageOf(sessionId, after + 1));
    if (first !== undefined) yield first;
    if (last > after + 1) yield* others;
  }

  async #storeAll(pages: readonly Storing[]): Promise<readonly void[]> {
    const turns = pages.flatMap(({ sessionId, page }) =>
      (page.turns ?? []).map((turn): TurnDocument => ({ _id: turn.id, sessionId, ...turn })),
    );
    const lateUsage = pages.flatMap(({ sessionId, page: { firstSeq, lateUsage: used = [] } }) =>
      used.map((one, at): LateUsageDocument => {
        return { _id: `${one.turnId}/${firstSeq}/${at}`, sessionId, firstSeq, ...one };
      }),
    );
    const ofTurns = [...turns, ...lateUsage];
    const documents = pages.map(({ sessionId, page }) => ({
      _id: pageIdOf(sessionId, page.firstSeq),
      ...page,
    }));
    await withRetries(this.#clock, async () => {
      if (ofTurns.length > 0) await once(() => this.#turns.insertMany(ofTurns, { ordered: false }));
      await once(() => this.#pages.insertMany(documents, { ordered: false }));
    });
    return pages.map(() => undefined);
  }

  async #findKeys(ids: readonly string[]): Promise<readonly (StoredKey | undefined)[]> {
    const wanted = new Set(ids);
    const found = await withRetries(this.#clock, () =>
      this.#pages.find({ 'keys.id': { $in: [...wanted] } }, { projection: { keys: 1 } }).toArray(),
    );
    const byId = new Map(found.flatMap(({ keys = [] }) => keys.map((key) => [key.id, key])));
    return ids.map((id) => byId.get(id));
  }
}

export function withLateUsage(turn: Turn, late: readonly LateUsage[]): Turn {
  const used = late.filter(({ turnId }) => turnId === turn.id);
  return used.length === 0
    ? turn
    : { ...turn, usage: used.reduce((sum, { usage }) => addUsage(sum, usage), turn.usage) };
}

/** One stored event that passes. */
function matchOf({ level, types, turnId, without }: EventFilter): Document {
  const levels = levelsOf(level);
  const type = { ...(types && { $in: [...types] }), ...(without && { $nin: [...without] }) };
  return {
    ...(types || without ? { type } : {}),
    ...(levels === undefined ? {} : { level: { $in: [...levels] } }),
    ...(turnId ? { turnId } : {}),
  };
}

/** No page that holds this event begins before. */
function leastPageId(sessionId: SessionId, seq: number): string {
  return pageIdOf(sessionId, Math.max(1, seq + 1 - APPEND_EVENTS_MAX));
}

/** What is there already is the same document, since nothing here is ever changed. */
async function once(insert: () => Promise<unknown>): Promise<void> {
  try {
    await insert();
  } catch (error) {
    if (!isOnlyDuplicates(error)) throw error;
  }
}
