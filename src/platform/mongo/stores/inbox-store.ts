/**
 * What sessions wait for people for (sessions/inbox-store.ts), in fields of the session's document, and of its tombstone. Places are times of
 * the database's own clock ($currentDate), in milliseconds: the servers' clocks may be minutes apart.
 *
 * Two writes of one millisecond, or one that is acknowledged late, and another member's clock after an election: hence the overlap.
 */
import type { Collection, Db, Document, Filter } from 'mongodb';
import type { Clock } from '../../../kernel/clock.ts';
import type { OrganisationId, SessionId } from '../../../kernel/id.ts';
import type { ChangesPage, InboxStore, WaitingPage, WaitsChange } from '../../../sessions/inbox-store.ts';
import type { SessionEntry } from '../../../sessions/session-store.ts';
import type { SessionRecord } from '../journal/session-collection.ts';
import { sessionOf } from '../journal/session-document.ts';
import type { Owned, Ownership } from '../ownership.ts';
import { withRetries } from '../retry-budget.ts';

/** Members whose clocks are kept by NTP differ by milliseconds, and a write is acknowledged or given up within seconds. */
const OVERLAP_MS = 60_000;
/** An index knows the absent organisation of the first one as null. */
const NO_ID = '';

type StoredRecord = Omit<SessionRecord, 'organisationId'> & Owned;

export interface MongoInboxPorts {
  readonly db: Db;
  readonly ownership: Ownership;
  readonly clock: Clock;
}

export class MongoInboxStore implements InboxStore {
  readonly overlap = OVERLAP_MS;
  readonly #ports: MongoInboxPorts;
  readonly #documents: Collection<Document & { _id: SessionId }>;

  constructor(ports: MongoInboxPorts) {
    this.#ports = ports;
    this.#documents = ports.db.collection('session');
  }

  async waiting(organisationId: OrganisationId, page: WaitingPage): Promise<readonly SessionEntry[]> {
    const { limit, agentId, from } = page;
    const { ownership, clock } = this.#ports;
    const filter = {
      ...ownership.by(organisationId),
      ...(agentId === undefined ? {} : { agentId }),
      waitsSince: { $gte: from?.since ?? 0 },
      // the bound above is for the index; this one decides within one millisecond
      ...(from === undefined
        ? {}
        : { $or: [{ waitsSince: { $gt: from.since } }, { waitsSince: from.since, _id: { $gte: from.id } }] }),
    } as Filter<Document & { _id: SessionId }>; // the driver's types know no null
    const found = await withRetries(clock, () =>
      this.#documents
        .find<StoredRecord>(filter, { projection: { tail: 0 } })
        .sort({ waitsSince: 1, _id: 1 })
        .limit(limit)
        .toArray(),
    );
    return found.map((one) => ({
      session: sessionOf({ ...one, organisationId: ownership.read(one) }),
      head: one.head,
    }));
  }

  async changes(organisationId: OrganisationId, page: ChangesPage): Promise<readonly WaitsChange[]> {
    const { organisationId: owner } = this.#ports.ownership.by(organisationId);
    const both = await Promise.all([
      this.#changesIn({ organisationId: owner }, 'waitsAt', page),
      this.#changesIn({ 'deleted.organisationId': owner }, 'deleted.waitsAt', page),
    ]);
    return both
      .flat()
      .toSorted((one, other) => one.place - other.place || (one.sessionId < other.sessionId ? -1 : 1))
      .slice(0, page.limit);
  }

  async newest(organisationId: OrganisationId): Promise<number> {
    const { organisationId: owner } = this.#ports.ownership.by(organisationId);
    const both = await Promise.all([
      this.#newestIn({ organisationId: owner }, 'waitsAt'),
      this.#newestIn({ 'deleted.organisationId': owner }, 'deleted.waitsAt'),
    ]);
    return Math.max(...both);
  }

  async #changesIn(owned: Document, field: string, { limit, after }: ChangesPage): Promise<WaitsChange[]> {
    const at = new Date(after.place);
    const { id = NO_ID } = after;
    const behind =
      id === NO_ID
        ? { [field]: { $gt: at } }
        : { [field]: { $gte: at }, $or: [{ [field]: { $gt: at } }, { [field]: at, _id: { $gt: id } }] };
    const found = await withRetries(this.#ports.clock, () =>
      this.#documents
        .find({ ...owned, ...behind }, { projection: { [field]: 1, 'state.waits.seq': 1 } })
        .sort({ [field]: 1, _id: 1 })
        .limit(limit)
        .toArray(),
    );
    return found.map((one) => changeOf(one));
  }

  async #newestIn(owned: Document, field: string): Promise<number> {
    const [found] = await withRetries(this.#ports.clock, () =>
      this.#documents
        .find({ ...owned, [field]: { $gt: new Date(0) } }, { projection: { [field]: 1 } })
        .sort({ [field]: -1, _id: -1 })
        .limit(1)
        .toArray(),
    );
    return found === undefined ? 0 : placeOf(found);
  }
}

function changeOf(found: Document & { readonly _id: SessionId }): WaitsChange {
  const seq: number | undefined =
    found['deleted'] === undefined ? (found['state']?.waits?.seq ?? 0) : undefined;
  return { sessionId: found._id, place: placeOf(found), seq };
}

function placeOf(found: Document): number {
  const at: Date = found['waitsAt'] ?? found['deleted'].waitsAt; // as projected
  return at.getTime();
}
