/**
 * The use cases of an organisation's inbox: what its sessions wait for from people, in pages, and claims of it. Following it: inbox-follow.ts.
 */
import type { Actor, BodyOf, RecordedEvent } from '../journal/event.ts';
import { isAbsent } from '../journal/absent.ts';
import { SessionNotFound } from '../journal/faults.ts';
import type { Audits } from '../journal/journal.ts';
import type { Clock } from '../kernel/clock.ts';
import { IdempotencyConflict, InvalidInput } from '../kernel/fault.ts';
import { type AgentId, type Organisation, seqOfEventId, type SessionId } from '../kernel/id.ts';
import { NAME_CHARS_MAX } from '../kernel/limit.ts';
import { parseCount, parseName } from '../kernel/parse.ts';
import { parseKey } from '../kernel/request-hash.ts';
import type { InboxStore } from './inbox-store.ts';
import type { InboxWatch } from './inbox-watch.ts';
import { type Command, decideToTheEnd } from './lifecycle.ts';
import type { Session } from './session.ts';
import type { SessionEntry, SessionJournal, SessionStore } from './session-store.ts';
import { claimAt, type Claim as Claimed, type Wait, type WaitKind, waitingSince, waitsOf } from './waits.ts';

/** A person reads a request and answers it in minutes; whoever needs longer renews. */
export const CLAIM_SECONDS_DEFAULT = 600;
/** Longer, and what somebody has forgotten is hidden from everybody else for days. */
export const CLAIM_SECONDS_MAX = 86_400;
/** Ids of tool calls and of events have some dozen characters. */
const REQUEST_ID_CHARS_MAX = 128;
/** Sessions that one page of the inbox looks at for what passes its filter: some hundred milliseconds of the slower store. */
const LOOKED_AT_MAX = 1_000;
const SESSIONS_AT_ONCE = 100;
/** What requests of one page say, in characters: the page ends there, with the cursor to go on from. */
export const PAGE_CHARS_MAX = 1024 * 1024;

export interface InboxPorts {
  readonly organisation: Organisation;
  readonly journal: SessionJournal;
  readonly sessions: SessionStore;
  readonly inbox: InboxStore;
  readonly watch: InboxWatch;
  readonly clock: Clock;
}

export interface WaitFilter {
  readonly kinds?: readonly WaitKind[] | undefined;
  readonly agentId?: AgentId | undefined;
  readonly sessionId?: SessionId | undefined;
}

export interface InboxFilter extends WaitFilter {
  /** Whether somebody has it now. */
  readonly claimed?: boolean | undefined;
  /** An assignee, or the id of an API key. */
  readonly claimedBy?: string | undefined;
}

export interface InboxRequest extends SessionEntry {
  readonly wait: Wait;
  /** The event that asks; absent where it could not be found. */
  readonly event?: RecordedEvent | undefined;
}

/** Where a request stands in the list. */
export interface InboxPlace {
  readonly since: number;
  readonly id: SessionId;
  /** Of the session's requests, those that came after this seq; a question has 0. */
  readonly after: number;
}

export interface InboxPage {
  readonly requests: readonly InboxRequest[];
  /** Where to go on; absent: there is no more. */
  readonly next?: InboxPlace | undefined;
}

export interface ListInbox {
  readonly filter: InboxFilter;
  readonly first: number;
  readonly from?: InboxPlace | undefined;
  /** Before each read. */
  turn(): Promise<void>;
}

export interface ClaimOrRelease {
  readonly sessionId: SessionId;
  readonly requestId: string;
  readonly actor: Actor;
  readonly idempotencyKey?: string | undefined;
  readonly audit?: Audits<Session> | undefined;
}

export interface Claim extends ClaimOrRelease {
  readonly assignee?: string | undefined;
  readonly seconds?: number | undefined;
}

type Changed = SessionEntry & { readonly replayed: boolean };

export class Inbox {
  readonly ports: InboxPorts;

  constructor(ports: InboxPorts) {
    this.ports = ports;
  }

  /** Sessions by how long their oldest request waits; a page may end early, with `next`, where little of much passes the filter. */
  async list({ filter, first, from, turn }: ListInbox): Promise<InboxPage> {
    const found: InboxRequest[] = [];
    let chars = 0;
    let place = from;
    for (let looked = 0; looked < LOOKED_AT_MAX; ) {
      await turn();
      const entries = await this.#waiting(filter, place);
      for (const { session, head } of entries) {
        const since = waitingSince(session);
        for (const wait of waitsOf(session)) {
          const seq = wait.seq ?? 0;
          if (since === undefined || isBehind(place, session.id, seq) || !this.#passes(filter, wait))
            continue;
          if (found.length === first || chars > PAGE_CHARS_MAX)
            return { requests: found, next: { since, id: session.id, after: seq - 1 } };
          const request = await this.detailed({ session, head }, wait);
          if (request === undefined) continue;
          found.push(request);
          chars += request.event?.body.length ?? 0;
        }
        if (since !== undefined) place = { since, id: session.id, after: Number.MAX_SAFE_INTEGER };
      }
      if (entries.length < SESSIONS_AT_ONCE) return { requests: found };
      looked += entries.length;
    }
    return { requests: found, next: place };
  }

  /** Throws InvalidInput, SessionNotFound, SessionGone, SessionArchived, AlreadyClaimed, RequestGone, LogFull, IdempotencyConflict. */
  async claim(asked: Claim): Promise<Changed> {
    const requestId = parseRequestId(asked.requestId);
    const { assignee: given, actor } = asked;
    const assignee = given === undefined ? undefined : parseName('assignee', given, NAME_CHARS_MAX);
    const seconds = parseCount('seconds', asked.seconds, 1, CLAIM_SECONDS_MAX) ?? CLAIM_SECONDS_DEFAULT;
    const now = this.ports.clock.now();
    const command: Command = { kind: 'claimRequest', requestId, assignee, seconds, now, actor };
    return this.#once(
      asked,
      command,
      (body: BodyOf<'request.claimed'>) =>
        body.requestId === requestId && body.assignee === assignee && body.seconds === seconds,
    );
  }

  /** Throws what `claim` does, but for the refusals of claims. What nobody has is let go already. */
  async release(asked: ClaimOrRelease): Promise<Changed> {
    const requestId = parseRequestId(asked.requestId);
    const now = this.ports.clock.now();
    const command: Command = { kind: 'releaseRequest', requestId, now, actor: asked.actor };
    return this.#once(asked, command, (body: BodyOf<'request.released'>) => body.requestId === requestId);
  }

  /** Who looks after it now. */
  claimOf(wait: Wait): Claimed | undefined {
    return claimAt(wait, this.ports.clock.now());
  }

  /** With the event that asks; undefined when the session is gone by now. */
  async detailed(entry: SessionEntry, wait: Wait): Promise<InboxRequest | undefined> {
    const sessionId = entry.session.id;
    const seq = wait.seq ?? seqOfEventId(wait.id, sessionId);
    if (seq === undefined) return { ...entry, wait };
    try {
      const [event] = await this.ports.journal.read(sessionId, { after: seq - 1, limit: 1 });
      return { ...entry, wait, event };
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  async #waiting({ agentId, sessionId }: InboxFilter, from: InboxPlace | undefined) {
    const { inbox, sessions, organisation } = this.ports;
    if (sessionId === undefined)
      return inbox.waiting(organisation.id, { limit: SESSIONS_AT_ONCE, agentId, from });
    const entry = await sessions.get(sessionId, organisation.id).catch((error: unknown) => {
      if (isAbsent(error)) return undefined;
      throw error;
    });
    return entry === undefined || (agentId !== undefined && entry.session.agentId !== agentId) ? [] : [entry];
  }

  #passes(filter: InboxFilter, wait: Wait): boolean {
    const { kinds, claimed, claimedBy } = filter;
    if (kinds !== undefined && !kinds.includes(wait.kind)) return false;
    const claim = this.claimOf(wait);
    if (claimed !== undefined && claimed !== (claim !== undefined)) return false;
    return claimedBy === undefined || claim?.assignee === claimedBy || claim?.by.id === claimedBy;
  }

  /** REPLAY-1: the key is looked for before anything is decided. */
  async #once<Body>(
    { sessionId, idempotencyKey, audit }: ClaimOrRelease,
    command: Command,
    isSame: (body: Body) => boolean,
  ): Promise<Changed> {
    const { journal, sessions, organisation } = this.ports;
    const given = parseKey('idempotencyKey', idempotencyKey);
    const key = given === undefined ? undefined : `${command.kind}/${given}`;
    const { replayed, firstSeq, lastSeq, state } = await journal.append(sessionId, {
      organisationId: organisation.id,
      key,
      audit,
      decide: (session, isFull) => decideToTheEnd(session, command, isFull),
    });
    if (!replayed) return { session: state, head: lastSeq, replayed };
    const [event] = await journal.read(sessionId, { after: firstSeq - 1, limit: 1 });
    const body = JSON.parse(event?.body ?? '{}') as Body; // the append of this key wrote it
    if (!isSame(body)) throw new IdempotencyConflict(given ?? '');
    const entry = await sessions.get(sessionId, organisation.id);
    if (entry === undefined) throw new SessionNotFound(sessionId);
    return { ...entry, replayed };
  }
}

function isBehind(place: InboxPlace | undefined, id: SessionId, seq: number): boolean {
  return place?.id === id && seq <= place.after;
}

function parseRequestId(text: string): string {
  if (text === '' || text.length > REQUEST_ID_CHARS_MAX) {
    throw new InvalidInput(
      'requestId',
      `expected the id of a request: 1 to ${REQUEST_ID_CHARS_MAX} characters.`,
    );
  }
  return text;
}
