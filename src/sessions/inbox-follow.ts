/**
 * Following an inbox: a list with the session for its key. First what waits, in frames, then for each session whose waits have changed all that
 * waits in it now, also nothing: whoever puts each in the place of what it had of that session has the list, whatever it has missed.
 *
 * INBOX-4 From any cursor on, and over any cut, a follower that has read to the end has the list as it is: no change is left out, the deletion
 *    of a session neither. A change may be sent twice, and then says the same.
 * INBOX-5 A frame holds FRAME_SESSIONS_MAX sessions at most, and ends with the session that takes it over FRAME_REQUESTS_MAX or FRAME_CHARS_MAX.
 */
import { isAbsent } from '../journal/absent.ts';
import type { SessionId } from '../kernel/id.ts';
import { once } from '../kernel/tail.ts';
import type { Inbox, InboxRequest, WaitFilter } from './inbox.ts';
import { foreign, type InboxCursor } from './inbox-cursor.ts';
import type { WaitsChange } from './inbox-store.ts';
import type { SessionEntry } from './session-store.ts';
import { waitingSince, waitsOf } from './waits.ts';

/** A screen has some dozen lines. */
export const FRAME_SESSIONS_MAX = 50;
/** Some of whose sessions wait for many answers at once; one session at most TOOL_CALLS_MAX of them. */
export const FRAME_REQUESTS_MAX = 100;
/** Of what the requests say: a frame of this size is made within some milliseconds. */
const FRAME_CHARS_MAX = 256 * 1024;
/**
 * Changes that are known are kept in memory, some hundred bytes each, as long as the store may show them again. Of more than these within the
 * overlap the oldest are not looked at again.
 */
const SEEN_MAX = 5_000;

/** All that waits in the session now and passes the filter; nothing: it waits for nobody, or is gone. */
export interface SessionRequests {
  readonly sessionId: SessionId;
  readonly requests: readonly InboxRequest[];
}

export interface InboxFrame {
  readonly changes: readonly SessionRequests[];
  readonly cursor: InboxCursor;
  /** Nothing is known to be missing. */
  readonly isCaughtUp: boolean;
}

export interface FollowInbox {
  readonly inbox: Inbox;
  readonly filter: WaitFilter;
  /** Absent: all that waits first. */
  readonly after?: InboxCursor | undefined;
  /** Before each read. */
  turn(): Promise<void>;
}

export class InboxFollow {
  readonly #follow: FollowInbox;
  readonly #endWatch: () => void;
  /** By the sessions that were sent: the change that they were at, and its place. */
  readonly #seen = new Map<SessionId, { readonly seq: number | undefined; readonly place: number }>();
  #cursor: InboxCursor | undefined;
  /** Behind which the next changes are read. */
  #after: { place: number; id?: SessionId | undefined } = { place: 0 };
  /** What is not after it is not looked at again. */
  #floor = -Infinity;
  #isTold = false;
  #isNew = true;
  #wake: () => void = () => undefined;

  constructor(follow: FollowInbox) {
    this.#follow = follow;
    const { watch, organisation } = follow.inbox.ports;
    this.#endWatch = watch.add(organisation.id, () => {
      this.#isNew = true;
      this.#wake();
    });
  }

  /** The next frame; undefined when `signal` has aborted. Throws InvalidInput for a cursor of another database. */
  async next(signal: AbortSignal): Promise<InboxFrame | undefined> {
    for (;;) {
      if (signal.aborted) return undefined;
      const cursor = (this.#cursor ??= await this.#begin());
      if (cursor.listed !== undefined) return this.#listed(cursor.place, cursor.listed);
      const frame = await this.#changed(cursor);
      if (frame !== undefined) return frame;
      if (!this.#isNew) await once((wake) => this.#onWake(wake), signal);
    }
  }

  end(): void {
    this.#endWatch();
  }

  async #begin(): Promise<InboxCursor> {
    const { inbox, after, turn } = this.#follow;
    const { organisation, inbox: store } = inbox.ports;
    await turn();
    const newest = await store.newest(organisation.id);
    if (after !== undefined && after.place > newest) throw foreign();
    const cursor = after ?? { place: newest, listed: { since: 0, id: '' as SessionId } }; // before all ids
    this.#after = { place: cursor.place - store.overlap };
    return cursor;
  }

  /** What waits, from there on. */
  async #listed(place: number, from: NonNullable<InboxCursor['listed']>): Promise<InboxFrame> {
    const { inbox, filter, turn } = this.#follow;
    const { organisation, inbox: store, sessions } = inbox.ports;
    await turn();
    const { agentId, sessionId } = filter;
    const entries =
      sessionId === undefined
        ? await store.waiting(organisation.id, { limit: FRAME_SESSIONS_MAX + 1, agentId, from })
        : [await sessions.get(sessionId, organisation.id).catch(absent)].flatMap((one) => one ?? []);
    const changes: SessionRequests[] = [];
    for (const entry of entries) {
      const since = waitingSince(entry.session) ?? 0;
      if (changes.length === FRAME_SESSIONS_MAX || isFull(changes)) {
        this.#cursor = { place, listed: { since, id: entry.session.id } };
        return { changes, cursor: this.#cursor, isCaughtUp: false }; // INBOX-5
      }
      const change = await this.#requestsOf(entry);
      changes.push(change);
      this.#remember(entry.session.id, entry.session.waits?.seq ?? 0, place);
    }
    this.#cursor = { place };
    return {
      changes: changes.filter(({ requests }) => requests.length > 0),
      cursor: this.#cursor,
      isCaughtUp: false,
    };
  }

  /** What has changed; undefined: nothing, and that was told. */
  async #changed(cursor: InboxCursor): Promise<InboxFrame | undefined> {
    const { inbox, turn } = this.#follow;
    const { organisation, inbox: store } = inbox.ports;
    this.#isNew = false; // what comes from now on is another reason to look
    await turn();
    const found = await store.changes(organisation.id, { limit: FRAME_SESSIONS_MAX, after: this.#after });
    const changes: SessionRequests[] = [];
    let { place } = cursor;
    let isCut = found.length === FRAME_SESSIONS_MAX;
    for (const [index, one] of found.entries()) {
      const change = this.#isKnown(one) ? undefined : await this.#changeOf(one);
      if (change !== undefined) changes.push(change);
      this.#remember(one.sessionId, one.seq, one.place);
      this.#after = { place: one.place, id: one.sessionId };
      place = Math.max(place, one.place);
      if (!isFull(changes) || index === found.length - 1) continue;
      isCut = true; // INBOX-5
      break;
    }
    this.#cursor = { place };
    if (isCut) this.#isNew = true;
    else {
      this.#after = { place: Math.max(place - store.overlap, this.#floor) }; // once more, what was late (INBOX-3)
      this.#forget(place - store.overlap);
    }
    if (changes.length === 0 && (isCut || this.#isTold)) return undefined;
    if (!isCut) this.#isTold = true;
    return { changes, cursor: this.#cursor, isCaughtUp: !isCut };
  }

  /** Undefined where the filter has nothing to do with it. */
  async #changeOf({ sessionId, seq }: WaitsChange): Promise<SessionRequests | undefined> {
    const { inbox, filter, turn } = this.#follow;
    if (filter.sessionId !== undefined && filter.sessionId !== sessionId) return undefined;
    if (seq === undefined) return { sessionId, requests: [] };
    await turn();
    const { sessions, organisation } = inbox.ports;
    const entry = await sessions.get(sessionId, organisation.id).catch(absent);
    if (entry === undefined) return { sessionId, requests: [] };
    if (filter.agentId !== undefined && entry.session.agentId !== filter.agentId) return undefined;
    return this.#requestsOf(entry);
  }

  async #requestsOf(entry: SessionEntry): Promise<SessionRequests> {
    const { inbox, filter } = this.#follow;
    const { kinds, agentId } = filter;
    const sessionId = entry.session.id;
    const isOther = agentId !== undefined && entry.session.agentId !== agentId;
    const waits = isOther
      ? []
      : waitsOf(entry.session).filter(({ kind }) => kinds === undefined || kinds.includes(kind));
    const requests: InboxRequest[] = [];
    for (const wait of waits) {
      const request = await inbox.detailed(entry, wait);
      if (request === undefined) return { sessionId, requests: [] };
      requests.push(request);
    }
    return { sessionId, requests };
  }

  #isKnown({ sessionId, seq }: WaitsChange): boolean {
    const seen = this.#seen.get(sessionId);
    return seen !== undefined && seen.seq === seq;
  }

  #remember(sessionId: SessionId, seq: number | undefined, place: number): void {
    if (this.#follow.inbox.ports.inbox.overlap === 0) return; // no change is shown again
    this.#seen.delete(sessionId);
    this.#seen.set(sessionId, { seq, place });
    if (this.#seen.size <= SEEN_MAX) return;
    for (const [oldest, known] of this.#seen) {
      this.#floor = Math.max(this.#floor, known.place);
      this.#seen.delete(oldest);
      break;
    }
  }

  #forget(before: number): void {
    for (const [sessionId, { place }] of this.#seen) if (place < before) this.#seen.delete(sessionId);
  }

  #onWake(wake: () => void): () => void {
    this.#wake = wake;
    return () => {
      this.#wake = () => undefined;
    };
  }
}

/** INBOX-5 */
function isFull(changes: readonly SessionRequests[]): boolean {
  const requests = changes.flatMap((change) => change.requests);
  const chars = requests.reduce((sum, { event }) => sum + (event?.body.length ?? 0), 0);
  return requests.length >= FRAME_REQUESTS_MAX || chars > FRAME_CHARS_MAX;
}

function absent(error: unknown): undefined {
  if (!isAbsent(error)) throw error;
  return undefined;
}
