/**
 * The port of the log: one ordered durable sequence of events per session, and the session's record, which is the
 * fold of its events. Every part meets the others here and nowhere else.
 *
 * JOURNAL-1 dense      the seqs of a session are 1..head, without gaps, never reused.
 * JOURNAL-2 durable    no reader sees an event that a crash could take back.
 * JOURNAL-3 atomic     the events of one append and the record after them land together or not at all.
 * JOURNAL-4 fenced     an append that names an epoch is refused when it is not the record's (EpochStale).
 * JOURNAL-5 idempotent an append with a key that was used before in the session writes nothing and answers the first seqs.
 * JOURNAL-6 capped     a log ends at LOG_EVENTS_MAX events or LOG_BYTES_MAX bytes: log.limit_reached, then LogFull. One event may follow: the
 *                      session.archived that says that what the session has left may go.
 * SCAN-1 filtered      a look through a log gives what passes a filter, and says how far it came: nothing in between is left out. It looks
 *    at SCAN_EVENTS_MAX events at most, and neither hands over nor reads the bodies of what does not pass.
 *
 * DELETE-2 gone       of a session that was deleted nothing is read and nothing is written: SessionGone, to its own organisation and to what
 *    runs sessions; to others there is no such session.
 *
 * That a follower gets every event after its cursor exactly once and in order is FOLLOW-1 (journal/follow.ts).
 *
 * Adapters: platform/sqlite, platform/mongo. Contract: test/contracts/journal.ts.
 */
import type { AuditEntry } from '../audit/entry.ts';
import type { Fault } from '../kernel/fault.ts';
import type { OrganisationId, SessionId } from '../kernel/id.ts';
import type { EventFilter } from './event-filter.ts';
import type { NewEvent, RecordedEvent } from './event.ts';

/** What is to be written, decided on the record as it is at the moment of the append. */
export type Decision =
  | { readonly kind: 'append'; readonly events: readonly NewEvent[] }
  /** Nothing to do, and that is fine: for example cancelling when nothing runs. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'refuse'; readonly fault: Fault };

/** What an append has written. */
export interface Written<State> {
  readonly before: State;
  readonly after: State;
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** It was written before, and is answered again now: `before` and `after` are as it is now. */
  readonly replayed?: boolean | undefined;
}

/** The audit entry of an append: pure, and the same id for the same first seq of a session. */
export type Audits<State> = (written: Written<State>) => AuditEntry;

export interface AppendRequest<State> {
  /**
   * Whose the session has to be: to the doors of another organisation it is not there (SessionNotFound), before its keys and its record
   * are looked at, and by the same work. Absent for what runs sessions, of whichever organisation.
   */
  readonly organisationId?: OrganisationId | undefined;
  /** JOURNAL-4. Absent for writers that need no lease: the doors. */
  readonly epoch?: number | undefined;
  /** JOURNAL-5. At most APPEND_KEY_CHARS_MAX characters; unique per session. */
  readonly key?: string | undefined;
  /** Pure, quick, and possibly called more than once (an adapter may race and decide again). `isFull`: the log has ended (JOURNAL-6). */
  decide(state: State, isFull: boolean): Decision;
  /** AUDIT-2. Its entry is written with the events, and not without; absent where nobody changes anything from outside. */
  readonly audit?: Audits<State> | undefined;
}

export interface Appended<State> {
  /** Seqs of the events of this append; `firstSeq > lastSeq` when nothing was written. */
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** True when the key was used before: nothing was written now (JOURNAL-5). */
  readonly replayed: boolean;
  /** The record after this append; when replayed, as it is now. */
  readonly state: State;
}

export interface ReadRange {
  /** Events with a greater seq. */
  readonly after: number;
  /** At most this many, and at most PAGE_EVENTS_MAX; a page also ends at PAGE_BYTES_MAX. */
  readonly limit: number;
}

/** A look through a part of the log for what passes a filter. */
export interface ScanRange extends ReadRange {
  /** Not further than this seq. */
  readonly to: number;
  readonly filter: EventFilter;
}

export interface Scanned {
  /** Those that pass, ascending by seq. */
  readonly events: readonly RecordedEvent[];
  /** Everything after `after` up to here has been looked at; `after` itself when there is nothing behind it. */
  readonly seq: number;
}

/** Who has to look at a session: the owner of its lease, or nobody. */
export type Concern = { readonly kind: 'owner'; readonly owner: string } | { readonly kind: 'nobody' };

export interface Hint {
  readonly sessionId: SessionId;
  readonly head: number;
  /** Whom the record that it leaves concerns; absent where the writer does not say: everybody who looks after sessions. */
  readonly concerns?: Concern | undefined;
  /** The events themselves where the writer is in this process; they are durable already (JOURNAL-2). */
  readonly events?: readonly RecordedEvent[] | undefined;
  /** What the session waits for from people has changed, or it was deleted: whose it is. Absent: it has not, or the writer does not say. */
  readonly waitsOf?: OrganisationId | undefined;
  /** The session was deleted. */
  readonly gone?: true | undefined;
}

/** Where a session is named and was deleted, SessionGone is thrown (DELETE-2). */
export interface Journal<State> {
  /**
   * Appends what `decide` answers. Concurrent appends share commits. Throws the decision's fault, SessionNotFound,
   * EpochStale, LogFull, InvalidInput (a body over BODY_BYTES_MAX, more than APPEND_EVENTS_MAX events).
   */
  append(sessionId: SessionId, request: AppendRequest<State>): Promise<Appended<State>>;

  /** Ascending by seq, dense; empty at the head or beyond. Throws SessionNotFound. */
  read(sessionId: SessionId, range: ReadRange): Promise<readonly RecordedEvent[]>;

  /** SCAN-1. A page ends at the same limits as one of `read`. Throws SessionNotFound. */
  scan(sessionId: SessionId, range: ScanRange): Promise<Scanned>;

  /** The whole body of one event as JSON text, spilled or not; undefined when there is no such seq. */
  readBody(sessionId: SessionId, seq: number): Promise<string | undefined>;

  /** The last seq, 0 for an empty log. Throws SessionNotFound. */
  head(sessionId: SessionId): Promise<number>;

  /**
   * Calls back after each durable append (JOURNAL-2). Only a hint: it may be lost, doubled or late, and a reader that acts
   * on it reads again. Answers the function that ends it.
   */
  onHint(listener: (hint: Hint) => void): () => void;
}
