/**
 * The log and the session records over MongoDB (journal/journal.ts, sessions/session-store.ts). How they lie there:
 * session-document.ts; how they are written: session-writer.ts; why so: docs/adr/0011-mongo-layout.md.
 *
 * Any number of processes may write to one database. Readers ask the database each time, together with whoever else asks at
 * that moment, so that each sees what others have written before it asked.
 */
import { randomUUID } from 'node:crypto';
import type { Db } from 'mongodb';
import type { RecordedEvent } from '../../../journal/event.ts';
import { LogFull, SessionNotFound } from '../../../journal/faults.ts';
import type {
  Appended,
  AppendRequest,
  Audits,
  Concern,
  Decision,
  Hint,
  ReadRange,
  Scanned,
  ScanRange,
} from '../../../journal/journal.ts';
import { type Clock, systemClock } from '../../../kernel/clock.ts';
import { type OrganisationId, type SessionId, type TurnId, turnIdOf } from '../../../kernel/id.ts';
import type { Logger } from '../../../kernel/logger.ts';
import type { LogCaps } from '../../../sessions/append-plan.ts';
import { dueAt } from '../../../sessions/due.ts';
import { concernOf, wantsSupervisor } from '../../../sessions/lifecycle.ts';
import { AgentGone } from '../../../sessions/faults.ts';
import { newSession, type Session, type SessionOrigin, type Turn } from '../../../sessions/session.ts';
import { waitsChanged } from '../../../sessions/waits.ts';
import type {
  SessionEntry,
  SessionFilter,
  SessionJournal,
  SessionPage,
  SessionStore,
  SupervisorWish,
  Wanted,
} from '../../../sessions/session-store.ts';
import type { Ownership } from '../ownership.ts';
import { MongoAuditStore } from '../stores/audit-store.ts';
import { audited } from './audited.ts';
import { AgentsOfStarts } from '../stores/agent-deletion.ts';
import { LogReader } from './log-reader.ts';
import { PageCollection, withLateUsage } from './page-collection.ts';
import { PageDraft, type Waiting } from './page-draft.ts';
import { SessionCollection, type SessionRecord } from './session-collection.ts';
import { loggedOf, type SessionDocument, sessionOf, storedOrigin, storedState } from './session-document.ts';
import { SessionQueue } from './session-queue.ts';
import { SessionWriter } from './session-writer.ts';

/** Told of every append, and tells of those of other processes (live-channel.ts). */
export interface HintChannel {
  hint(sessionId: SessionId, head: number, concerns?: Concern, gone?: true): void;
  onHint(listener: (hint: Hint) => void): () => void;
}

export interface MongoJournalPorts {
  readonly db: Db;
  readonly ownership: Ownership;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly caps: LogCaps;
  readonly channel: HintChannel;
}

/** Sessions whose end is kept in memory, so that their next append needs no read: those that are busy now. */
const WRITERS_MAX = 1_000;
/** Appends take milliseconds; when the database is away, a server that stops does not wait for it. */
const CLOSE_MS_MAX = 3_000;

export class MongoJournal implements SessionJournal, SessionStore {
  readonly #ports: MongoJournalPorts;
  readonly #sessions: SessionCollection;
  readonly #queue: SessionQueue;
  readonly #pages: PageCollection;
  readonly #log: LogReader;
  readonly #audit: MongoAuditStore;
  readonly #agents: AgentsOfStarts;
  readonly #listeners = new Set<(hint: Hint) => void>();
  /** In the order of use, the longest unused first. */
  readonly #writers = new Map<SessionId, SessionWriter>();
  readonly #endHints: () => void;

  constructor(ports: MongoJournalPorts) {
    const { db, clock, channel, ownership } = ports;
    this.#ports = ports;
    this.#sessions = new SessionCollection(db, clock, ownership);
    this.#queue = new SessionQueue(db, clock, ownership);
    this.#pages = new PageCollection(db, clock);
    this.#audit = new MongoAuditStore(ports);
    this.#log = new LogReader(this.#sessions, this.#pages);
    this.#agents = new AgentsOfStarts({ db, clock });
    this.#endHints = channel.onHint((hint) => this.#tell(hint));
  }

  append(sessionId: SessionId, request: AppendRequest<Session>): Promise<Appended<Session>> {
    const append = (own: AppendRequest<Session>) => this.#writerOf(sessionId).append(own);
    return request.audit === undefined ? append(request) : audited(request, append, this.#audit);
  }

  async create(
    origin: SessionOrigin,
    decide: (session: Session) => Decision,
    audit?: Audits<Session>,
  ): Promise<SessionEntry & { readonly created: boolean }> {
    const there = await this.#sessions.find(origin);
    if (there !== undefined) return { ...entryOf(there), created: false };
    const drafted = await this.#draftOf(origin, decide);
    const { created, document } = await this.#sessions.create(drafted.document);
    if (created && !(await this.#agents.mayStart(origin.agentId))) return this.#takeBack(document); // AGENT-1
    if (created && document.head > 0)
      this.#landed({ session: sessionOf(document), head: document.head }, drafted.events);
    if (created && document.full) throw new LogFull(document._id); // JOURNAL-6
    const session = sessionOf(document);
    if (created && audit !== undefined) {
      const written = { before: newSession(origin), after: session, firstSeq: 1, lastSeq: document.head };
      await this.#audit.add(audit(written)); // AUDIT-2
    }
    return { session, head: document.head, created };
  }

  /** Nobody was told of it. Should a supervisor have found it meanwhile, its first model call is refused (models/account.ts). */
  async #takeBack(document: SessionDocument): Promise<never> {
    await this.#sessions.takeBack(document);
    await this.#pages.forgetBodies(
      document.tail.flatMap(({ events }) => events.flatMap(({ whole }) => whole?.id ?? [])),
    );
    throw new AgentGone(document.agentId);
  }

  read(sessionId: SessionId, range: ReadRange): Promise<readonly RecordedEvent[]> {
    return this.#log.read(sessionId, range);
  }

  scan(sessionId: SessionId, range: ScanRange): Promise<Scanned> {
    return this.#log.scan(sessionId, range);
  }

  readBody(sessionId: SessionId, seq: number): Promise<string | undefined> {
    return this.#log.readBody(sessionId, seq);
  }

  async head(sessionId: SessionId): Promise<number> {
    return existing(sessionId, await this.#sessions.head(sessionId));
  }

  onHint(listener: (hint: Hint) => void): () => void {
    const own = (hint: Hint): void => listener(hint); // its own entry, so that the same function may listen twice
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  async get(id: SessionId, organisationId?: OrganisationId): Promise<SessionEntry | undefined> {
    const document = await this.#sessions.record(id, organisationId);
    return document === undefined ? undefined : entryOf(document);
  }

  async list(
    organisationId: OrganisationId,
    filter: SessionFilter,
    page: SessionPage,
  ): Promise<readonly SessionEntry[]> {
    return (await this.#sessions.list(organisationId, filter, page)).map(entryOf);
  }

  async turns(
    id: SessionId,
    { limit, before = Infinity }: { readonly limit: number; readonly before?: number | undefined },
    organisationId?: OrganisationId,
  ): Promise<readonly Turn[]> {
    const document = await this.#sessions.load(id, organisationId);
    const last = document?.state.turn;
    if (document === undefined || last === undefined) return [];
    const newest = Math.min(last.number, before - 1);
    const numbers = Array.from(
      { length: Math.max(0, Math.min(limit, newest)) },
      (_, index) => newest - index,
    );
    const ids = numbers.map((number) => turnIdOf(id, number));
    const turns = await this.#turnsOf(document, ids);
    return numbers.flatMap((number) => turns.get(number) ?? []);
  }

  async turn(id: SessionId, turnId: TurnId, organisationId?: OrganisationId): Promise<Turn | undefined> {
    const document = await this.#sessions.load(id, organisationId);
    if (document === undefined) return undefined;
    const turns = await this.#turnsOf(document, [turnId]);
    return [...turns.values()].find((turn) => turn.id === turnId);
  }

  /** By their numbers: these, and those that the document holds; each with what was metered after its end. */
  async #turnsOf(document: SessionDocument, ids: readonly TurnId[]): Promise<ReadonlyMap<number, Turn>> {
    const turns = turnsIn(document);
    const known = new Set([...turns.values()].map(({ id }) => id));
    const missing = ids.filter((id) => !known.has(id));
    const ended =
      missing.length === 0 ? [] : await this.#pages.turns(document._id, missing, loggedOf(document));
    for (const turn of ended) turns.set(turn.number, turn);
    const late = document.tail.flatMap((page) => page.lateUsage ?? []);
    return new Map([...turns].map(([number, turn]) => [number, withLateUsage(turn, late)]));
  }

  wanted(wish: SupervisorWish): Promise<Wanted> {
    return this.#queue.wanted(wish);
  }

  waiting(organisationId: OrganisationId, limit: number): Promise<readonly SessionId[]> {
    return this.#queue.waiting(organisationId, limit);
  }

  /** The session was deleted, by this process: everybody is told. */
  gone(sessionId: SessionId, head: number): void {
    this.#ports.channel.hint(sessionId, head, undefined, true);
    this.#tell({ sessionId, head, gone: true });
  }

  /** Answers what was asked so far, within CLOSE_MS_MAX; what is cut off then fails when the database is closed. */
  async close(): Promise<void> {
    const settled = Promise.all([...this.#writers.values()].map((writer) => writer.settled()));
    const late = new AbortController();
    await Promise.race([settled, systemClock.sleep(CLOSE_MS_MAX, late.signal)]);
    late.abort();
    this.#endHints();
    this.#listeners.clear();
  }

  async #draftOf(
    origin: SessionOrigin,
    decide: (session: Session) => Decision,
  ): Promise<{ document: SessionDocument; events: readonly RecordedEvent[] }> {
    const { clock, caps } = this.#ports;
    const session = newSession(origin);
    const standing = { session, head: 0, bytes: 0, at: origin.createdAt, full: false };
    const writeId = randomUUID();
    const draft = new PageDraft(standing, { now: clock.now(), caps, used: new Map(), writeId });
    const refusals: unknown[] = [];
    const first: Waiting = {
      request: { decide },
      resolve: () => undefined,
      reject: (error) => refusals.push(error),
    };
    draft.take([first]);
    draft.settle();
    for (const refusal of refusals) if (draft.isEmpty) throw refusal;
    for (const whole of draft.wholeBodies) whole.id = await this.#pages.storeBody(origin.id, whole.text);
    const { head, bytes, at, full, session: after } = draft.standing;
    const document: SessionDocument = {
      ...storedOrigin(origin),
      createdBy: writeId,
      ...storedState(after),
      wantedSince: wantsSupervisor(after) ? after.statusAt : undefined,
      dueAt: dueAt(after),
      head,
      bytes,
      at,
      full,
      tail: draft.isEmpty ? [] : [draft.page],
    };
    return { document, events: draft.events };
  }

  #writerOf(sessionId: SessionId): SessionWriter {
    const { clock, logger, caps } = this.#ports;
    const writer =
      this.#writers.get(sessionId) ??
      new SessionWriter(sessionId, {
        sessions: this.#sessions,
        pages: this.#pages,
        clock,
        logger,
        caps,
        landed: (standing, events) => this.#landed(standing, events),
      });
    this.#writers.delete(sessionId);
    this.#writers.set(sessionId, writer);
    if (this.#writers.size > WRITERS_MAX) this.#forgetSome();
    return writer;
  }

  /** The longest unused ones that have nothing to do; they only knew what the database knows. The newest is about to be used. */
  #forgetSome(): void {
    let surplus = this.#writers.size - WRITERS_MAX;
    for (const [sessionId, writer] of [...this.#writers].slice(0, -1)) {
      if (surplus <= 0) return;
      if (!writer.isIdle) continue;
      this.#writers.delete(sessionId);
      surplus -= 1;
    }
  }

  #landed({ session, head }: SessionEntry, events: readonly RecordedEvent[]): void {
    const concerns = concernOf(session);
    this.#ports.channel.hint(session.id, head, concerns);
    const waitsOf = waitsChanged(session, head, events.length) ? session.organisationId : undefined;
    this.#tell({ sessionId: session.id, head, concerns, events, waitsOf });
  }

  #tell(hint: Hint): void {
    if (hint.gone === true) this.#writers.delete(hint.sessionId); // what it has under way is refused, and it is forgotten
    for (const listener of this.#listeners) {
      try {
        listener(hint);
      } catch (error) {
        this.#ports.logger.error('a listener of the journal failed', { error }); // what it was told of is durable all the same
      }
    }
  }
}

/** Turns by their numbers: the last one, and those that ended in pages which the document still holds. */
function turnsIn({ tail, state }: SessionDocument): Map<number, Turn> {
  const turns = [
    ...tail.flatMap((page) => page.turns ?? []),
    ...(state.turn === undefined ? [] : [state.turn]),
  ];
  return new Map(turns.map((turn) => [turn.number, turn]));
}

function entryOf(document: SessionRecord): SessionEntry {
  return { session: sessionOf(document), head: document.head };
}

function existing<T>(sessionId: SessionId, found: T | undefined): T {
  if (found === undefined) throw new SessionNotFound(sessionId);
  return found;
}
