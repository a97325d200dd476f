/**
 * The log and the session records over one SQLite database (journal/journal.ts, sessions/session-store.ts).
 *
 * An append waits for the group that is next to commit (group-commit.ts) and is decided inside its transaction, on the
 * record as the appends before it left it; so its refusal writes nothing (JOURNAL-3, JOURNAL-4), and seqs are dense without a lock (JOURNAL-1).
 * Readers and hints see memory and rows only between commits, and when the disk has them (JOURNAL-2, COMMIT-5).
 */
import type { Clock } from '../../kernel/clock.ts';
import type { Scheduler } from '../../kernel/scheduler.ts';
import type { OrganisationId, SessionId, TurnId } from '../../kernel/id.ts';
import { PAGE_BYTES_MAX, PAGE_EVENTS_MAX } from '../../kernel/limit.ts';
import type { RecordedEvent } from '../../journal/event.ts';
import { EpochStale, LogFull } from '../../journal/faults.ts';
import type { Appended, AppendRequest, Hint, ReadRange, Scanned, ScanRange } from '../../journal/journal.ts';
import { newSession, type Session, type SessionOrigin, type Turn } from '../../sessions/session.ts';
import type {
  SessionEntry,
  SessionFilter,
  SessionJournal,
  SessionPage,
  SessionStore,
  SupervisorWish,
  Wanted,
} from '../../sessions/session-store.ts';
import { assertKey, type LogCaps, type Plan, planDecision, writtenBy } from '../../sessions/append-plan.ts';
import { AppendKeys } from './append-keys.ts';
import { SqliteAuditStore } from './audit-store.ts';
import type { Database } from './database.ts';
import { SqliteDeletions } from './deletions.ts';
import { EventTable } from './event-table.ts';
import { GroupCommit } from './group-commit.ts';
import { SqliteInboxStore } from './inbox-store.ts';
import { HintListeners } from './hint-listeners.ts';
import { newlyLoaded, existing, keepTurns, type Loaded, LoadedSessions } from './loaded-sessions.ts';
import { entryOf, SessionTable } from './session-table.ts';
import { TombstoneTable } from './tombstone-table.ts';
import { translated } from './translate-error.ts';
import { halfWritten, type Outcome, Writing } from './writing.ts';

export interface SqliteJournalOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly caps: LogCaps;
  /** Sessions kept in memory; fewer only in tests. */
  readonly loadedMax?: number | undefined;
  readonly scheduler?: Scheduler | undefined;
}

type Created = SessionEntry & { readonly created: boolean };
type First = Pick<AppendRequest<Session>, 'decide' | 'audit'>;

export class SqliteJournal implements SessionJournal, SessionStore {
  readonly deletions: SqliteDeletions;
  readonly inbox: SqliteInboxStore;
  readonly #clock: Clock;
  readonly #caps: LogCaps;
  readonly #sessions: SessionTable;
  readonly #events: EventTable;
  readonly #keys: AppendKeys;
  readonly #loaded: LoadedSessions;
  readonly #commits: GroupCommit;
  readonly #audit: SqliteAuditStore;
  readonly #listeners = new HintListeners();
  /** What the running commit has changed. */
  #touched = new Set<Loaded>();

  constructor({ database, clock, caps, loadedMax, scheduler }: SqliteJournalOptions) {
    this.#clock = clock;
    this.#caps = caps;
    this.#sessions = new SessionTable(database);
    this.#events = new EventTable(database);
    this.#keys = new AppendKeys(database);
    this.#audit = new SqliteAuditStore(database);
    const tombstones = new TombstoneTable(database);
    this.#loaded = new LoadedSessions(this.#sessions, this.#events, tombstones, loadedMax);
    this.deletions = new SqliteDeletions({
      database,
      tombstones,
      sessions: this.#sessions,
      loaded: this.#loaded,
      keys: this.#keys,
      commit: (write) => this.#committed(write),
      look: (read) => this.#look(read),
      gone: (loaded) => this.#gone(loaded),
    });
    this.inbox = new SqliteInboxStore({ database, entryOf, look: (read) => this.#look(read) });
    const hooks = {
      beforeCommit: () => {
        this.#saveRecords();
        this.#keys.beforeCommit();
      },
      committed: () => {
        this.#keys.committed();
        this.#tell();
      },
      rolledBack: () => {
        this.#keys.rolledBack();
        this.#forgetTouched();
      },
    };
    this.#commits = new GroupCommit(database, hooks, scheduler);
  }

  append(sessionId: SessionId, request: AppendRequest<Session>): Promise<Appended<Session>> {
    return this.#committed(() => this.#append(sessionId, request));
  }

  create(origin: SessionOrigin, decide: First['decide'], audit?: First['audit']): Promise<Created> {
    return this.#committed(() => this.#create(origin, { decide, audit }));
  }

  read(sessionId: SessionId, { after, limit }: ReadRange): Promise<readonly RecordedEvent[]> {
    return this.#look(() => {
      const { key, head } = this.#found(sessionId);
      const last = Math.min(head, after + Math.min(limit, PAGE_EVENTS_MAX));
      return last <= after ? [] : this.#events.range(key, sessionId, after, last, PAGE_BYTES_MAX);
    });
  }

  scan(sessionId: SessionId, range: ScanRange): Promise<Scanned> {
    return this.#look(() => {
      const { key, head } = this.#found(sessionId);
      return this.#events.scan(key, sessionId, { ...range, to: Math.min(head, range.to) });
    });
  }

  readBody(sessionId: SessionId, seq: number): Promise<string | undefined> {
    return this.#look(() => {
      const loaded = this.#find(sessionId);
      return loaded === undefined ? undefined : this.#events.body(loaded.key, seq);
    });
  }

  head(sessionId: SessionId): Promise<number> {
    return this.#look(() => this.#found(sessionId).head);
  }

  onHint(listener: (hint: Hint) => void): () => void {
    return this.#listeners.add(listener);
  }

  get(id: SessionId, organisationId?: OrganisationId): Promise<SessionEntry | undefined> {
    return this.#look(() => {
      const loaded = this.#find(id, organisationId);
      return loaded === undefined ? undefined : { session: loaded.session, head: loaded.head };
    });
  }

  list(
    organisationId: OrganisationId,
    filter: SessionFilter,
    page: SessionPage,
  ): Promise<readonly SessionEntry[]> {
    return this.#look(() => this.#sessions.list(organisationId, filter, page));
  }

  turns(
    id: SessionId,
    page: { readonly limit: number; readonly before?: number | undefined },
    organisationId?: OrganisationId,
  ): Promise<readonly Turn[]> {
    return this.#look(() => {
      const key = this.#find(id, organisationId)?.key;
      return key === undefined
        ? []
        : this.#sessions.turns(key, page.before ?? Number.MAX_SAFE_INTEGER, page.limit);
    });
  }

  turn(id: SessionId, turnId: TurnId, organisationId?: OrganisationId): Promise<Turn | undefined> {
    return this.#look(() => {
      const key = this.#find(id, organisationId)?.key;
      return key === undefined ? undefined : this.#sessions.turn(key, turnId);
    });
  }

  wanted(wish: SupervisorWish): Promise<Wanted> {
    return this.#look(() => this.#sessions.queue.wanted(wish));
  }

  waiting(organisationId: OrganisationId, limit: number): Promise<readonly SessionId[]> {
    return this.#look(() => this.#sessions.queue.waiting(organisationId, limit));
  }

  /** Commits what waits; later appends are rejected. */
  close(): void {
    this.#commits.close();
    this.#listeners.clear();
  }

  /** Runs `write` inside the next commit; its answer, or its refusal, is given after the commit. */
  #committed<T>(write: () => Outcome<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#commits.add(new Writing(write, resolve, reject));
    });
  }

  /** The order matters: a replay of one's own step succeeds whatever happened since (JOURNAL-5), and only then the epoch counts. */
  #append(
    sessionId: SessionId,
    { organisationId, key, epoch, decide, audit }: AppendRequest<Session>,
  ): Outcome<Appended<Session>> {
    assertKey(key);
    const loaded = existing(sessionId, this.#loaded.get(sessionId, organisationId)); // ORGANISATION-1
    const { session, head } = loaded;
    const before = key === undefined ? undefined : this.#keys.find(loaded.key, key);
    if (before !== undefined) return { rows: 0, answer: { ...before, replayed: true, state: session } }; // JOURNAL-5
    if (epoch !== undefined && epoch !== session.epoch) throw new EpochStale(epoch, session.epoch); // JOURNAL-4
    const plan = planDecision(loaded, decide(session, loaded.full), this.#clock.now(), this.#caps);
    if (plan === undefined) {
      return { rows: 0, answer: { firstSeq: head + 1, lastSeq: head, replayed: false, state: session } };
    }
    halfWritten(() => this.#apply(loaded, plan, key, audit));
    const rows = plan.events.length;
    if (plan.full) return { rows, refusal: new LogFull(sessionId) }; // JOURNAL-6
    return {
      rows,
      answer: { firstSeq: head + 1, lastSeq: loaded.head, replayed: false, state: loaded.session },
    };
  }

  #create(origin: SessionOrigin, { decide, audit }: First): Outcome<Created> {
    const { organisationId, key } = origin;
    const ofKey = key === undefined ? undefined : this.#sessions.idOfKey(organisationId, key);
    const id = this.#loaded.get(origin.id, organisationId) ? origin.id : ofKey;
    if (id !== undefined) {
      const { session, head } = existing(id, this.#loaded.get(id));
      return { rows: 0, answer: { session, head, created: false } };
    }
    this.#sessions.refuseDeletedAgent(origin.agentId); // AGENT-1
    const loaded = newlyLoaded(newSession(origin), origin.createdAt);
    const plan = planDecision(loaded, decide(loaded.session, false), this.#clock.now(), this.#caps);
    this.#touched.add(loaded);
    this.#loaded.add(loaded);
    halfWritten(() => {
      loaded.key = this.#sessions.insert(loaded.session);
      if (plan !== undefined) this.#apply(loaded, plan, undefined, audit);
    });
    const rows = 1 + loaded.head;
    if (plan?.full === true) return { rows, refusal: new LogFull(origin.id) }; // JOURNAL-6
    return { rows, answer: { session: loaded.session, head: loaded.head, created: true } };
  }

  #apply(loaded: Loaded, plan: Plan, key: string | undefined, audit: First['audit']): void {
    this.#touched.add(loaded);
    const { events, full } = plan;
    if (audit !== undefined && !full) this.#audit.insert(audit(writtenBy(loaded, plan))); // AUDIT-2
    let opens = key !== undefined && !full; // the first event of a keyed append says so
    for (const { event, bytes, whole } of events) {
      const row = this.#events.insert(loaded.key, event, {
        bytes,
        whole,
        appendKey: opens ? key : undefined,
        appendCount: opens ? events.length : undefined,
      });
      this.#keys.written(row);
      opens = false;
      loaded.fresh.push(event);
      loaded.at = event.at;
      loaded.bytes = bytes;
    }
    if (key !== undefined && !full) {
      this.#keys.add(loaded.key, key, { firstSeq: loaded.head + 1, lastSeq: loaded.head + events.length });
    }
    loaded.head += plan.events.length;
    loaded.full = plan.full;
    if (plan.session === loaded.session) return;
    loaded.session = plan.session;
    loaded.unsaved = true;
    keepTurns(loaded, plan, (turnId) => this.#sessions.turn(loaded.key, turnId));
  }

  /** JOURNAL-3: records and turns go with the events; once per commit, however many appends changed them. */
  #saveRecords(): void {
    for (const loaded of this.#touched) {
      if (!loaded.unsaved) continue;
      this.#sessions.update(loaded.key, loaded.session);
      for (const turn of loaded.unsavedTurns?.values() ?? []) this.#sessions.putTurn(loaded.key, turn);
      loaded.unsaved = false;
      loaded.unsavedTurns = undefined;
    }
  }

  /** JOURNAL-2: after the commit. */
  #tell(): void {
    const touched = this.#touched;
    this.#touched = new Set();
    this.#loaded.trim();
    for (const loaded of touched) this.#listeners.tell(loaded);
  }

  /** Of what the running commit has appended before, nothing is left to be saved. */
  #gone(loaded: Loaded): void {
    loaded.gone = true;
    loaded.unsaved = false;
    loaded.unsavedTurns = undefined;
    this.#touched.add(loaded);
  }

  #forgetTouched(): void {
    for (const loaded of this.#touched) this.#loaded.forget(loaded.session.id);
    this.#touched = new Set();
  }

  /** For readers: between two commits, and once the disk has what is there (COMMIT-5). */
  async #look<T>(read: () => T): Promise<T> {
    const flushing = this.#commits.durable();
    if (flushing !== undefined) await flushing;
    return translated(read);
  }

  #find(sessionId: SessionId, organisationId?: OrganisationId): Loaded | undefined {
    const loaded = this.#loaded.get(sessionId, organisationId);
    this.#loaded.trim();
    return loaded;
  }

  #found(sessionId: SessionId): Loaded {
    return existing(sessionId, this.#find(sessionId));
  }
}
