/**
 * The appends of one session from this process, one write at a time. What arrives while a write is under way goes together into
 * the next one.
 *
 * WRITER-1 Every write is one update of the session's document that names the head it was decided on: of two writers who saw the same
 *    head one is refused, reads again and decides again (JOURNAL-1, JOURNAL-3, JOURNAL-4). A refusal, which writes nothing, counts only when the
 *    head it was decided on is the one in the database at that time.
 * WRITER-2 A write whose outcome nobody told is looked up by its id before anything else happens, and tried again under the same id,
 *    so that it lands at most once (JOURNAL-5).
 * WRITER-3 A page leaves the session's document only once it lies in `page` (tail.ts PAGE-1).
 * WRITER-4 Callers and hints hear of a write when a majority has it on disk (JOURNAL-2).
 * WRITER-5 Who appends for another organisation than the session's is refused as if there were no session, after the reads that find out that
 *    there is none, and beside the writes of those whose it is (ORGANISATION-1).
 */
import { randomUUID } from 'node:crypto';
import type { RecordedEvent } from '../../../journal/event.ts';
import { SessionGone, SessionNotFound } from '../../../journal/faults.ts';
import type { Appended, AppendRequest } from '../../../journal/journal.ts';
import type { Clock } from '../../../kernel/clock.ts';
import type { SessionId } from '../../../kernel/id.ts';
import type { Logger } from '../../../kernel/logger.ts';
import type { LogCaps, Standing } from '../../../sessions/append-plan.ts';
import { dueAt } from '../../../sessions/due.ts';
import { wantsSupervisor } from '../../../sessions/lifecycle.ts';
import { waitingSince } from '../../../sessions/waits.ts';
import type { Session } from '../../../sessions/session.ts';
import { OlderKeys } from './older-keys.ts';
import type { PageCollection } from './page-collection.ts';
import { PageDraft, type Waiting } from './page-draft.ts';
import { RetryBudget } from '../retry-budget.ts';
import type { HeadMove, SessionCollection } from './session-collection.ts';
import { loggedOf, type Page, type SessionDocument, sessionOf, storedState } from './session-document.ts';
import { bytesOf, Tail } from './tail.ts';

export interface WriterPorts {
  readonly sessions: SessionCollection;
  readonly pages: PageCollection;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly caps: LogCaps;
  /** Called after each write (WRITER-4). */
  readonly landed: (standing: Standing, events: readonly RecordedEvent[]) => void;
}

/** The session as this process saw it last; others may have moved on. */
interface Known {
  readonly standing: Standing;
  readonly tail: Tail;
}

/** About what a record takes; only for how much goes into one request. */
const RECORD_BYTES = 1_500;

export class SessionWriter {
  readonly #sessionId: SessionId;
  readonly #ports: WriterPorts;
  #waiting: Waiting[] = [];
  #isWriting = false;
  #written: Promise<void> = Promise.resolve();
  #known: Known | undefined;
  readonly #older: OlderKeys;

  constructor(sessionId: SessionId, ports: WriterPorts) {
    this.#sessionId = sessionId;
    this.#ports = ports;
    this.#older = new OlderKeys(sessionId, ports.pages);
  }

  /** Nothing waits and nothing is under way. */
  get isIdle(): boolean {
    return !this.#isWriting && this.#known?.tail.isStoring !== true;
  }

  append(request: AppendRequest<Session>): Promise<Appended<Session>> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      if (!this.#isWriting) this.#written = this.#write();
    });
  }

  /** Resolves when everything that was asked so far has been answered, and stored. */
  async settled(): Promise<void> {
    await this.#written;
    await this.#known?.tail.stored();
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const taken = this.#waiting;
      this.#waiting = [];
      try {
        const left = await this.#writeSome(taken);
        this.#waiting = [...left, ...this.#waiting];
      } catch (error) {
        this.#known = undefined; // what was under way may land after all
        if (error instanceof SessionGone) await this.#refuseGone(taken, error);
        else for (const { reject } of taken) reject(error);
      }
    }
    this.#isWriting = false;
  }

  /** Settles the first of them, at least one, and answers the others. */
  async #writeSome(waiting: readonly Waiting[]): Promise<readonly Waiting[]> {
    const budget = new RetryBudget(this.#ports.clock);
    let lagging: number | undefined;
    const isLoaded = this.#known !== undefined;
    const { own, foreign } = split((this.#known ??= await this.#load(budget)), waiting);
    void this.#refuse(foreign, isLoaded); // never rejects
    if (own.length === 0) return [];
    for (;;) {
      const known = (this.#known ??= await this.#load(budget));
      const draft = await this.#draft(known, own);
      const left = draft.take(own);
      const newest = draft.isEmpty ? await this.#ports.sessions.newestHead(this.#sessionId) : undefined;
      const isDone = draft.isEmpty // WRITER-1: what writes nothing counts only on the newest head
        ? newest === known.standing.head
        : await this.#land(known, draft, budget);
      if (isDone) {
        draft.settle();
        return left;
      }
      // Another process was first. Again at once, on what that left: who waits here, or asks more than it has to, is late each
      // time while the other goes on.
      if (this.#known === known) this.#known = undefined;
      if (draft.isEmpty && newest === lagging) await budget.waitOrThrow(); // a majority's in a moment
      lagging = newest;
    }
  }

  /** Throws SessionNotFound. What a majority has may lag a little behind, after an election or before an acknowledgement. */
  async #load(budget: RetryBudget): Promise<Known> {
    for (;;) {
      const document = await this.#ports.sessions.load(this.#sessionId);
      if (document !== undefined) return this.#knownOf(document);
      if (await this.#isGone()) throw new SessionNotFound(this.#sessionId);
      await budget.waitOrThrow();
    }
  }

  /** Also of the primary's own: taken back by who started it (stores/agent-deletion.ts), or never there. */
  async #isGone(): Promise<boolean> {
    return (await this.#ports.sessions.newestHead(this.#sessionId)) === undefined;
  }

  /** WRITER-5. */
  async #refuse(foreign: readonly Waiting[], isLoaded: boolean): Promise<void> {
    if (foreign.length === 0) return;
    const { sessions } = this.#ports;
    let refusal: unknown = new SessionNotFound(this.#sessionId);
    try {
      if (isLoaded) await sessions.load(this.#sessionId);
      await sessions.newestHead(this.#sessionId);
    } catch (error) {
      refusal = error; // as #load would have thrown it
    }
    for (const { reject } of foreign) reject(refusal);
  }

  /** Its document has no head any more, so nothing that was decided before lands (DELETE-2). To another organisation there is no such session (WRITER-5). Never rejects. */
  async #refuseGone(waiting: readonly Waiting[], gone: SessionGone): Promise<void> {
    for (const { request, reject } of waiting) {
      if (request.organisationId === undefined) reject(gone);
      else
        await this.#ports.sessions
          .load(this.#sessionId, request.organisationId)
          .then(() => reject(new SessionNotFound(this.#sessionId)), reject);
    }
  }

  async #draft({ standing, tail }: Known, waiting: readonly Waiting[]): Promise<PageDraft> {
    const { clock, caps } = this.#ports;
    const used = await tail.usedKeys(waiting.flatMap(({ request }) => request.key ?? []));
    return new PageDraft(standing, { now: clock.now(), caps, used, writeId: randomUUID() });
  }

  /** False when another append was there first. */
  async #land(known: Known, draft: PageDraft, budget: RetryBudget): Promise<boolean> {
    const { pages, landed } = this.#ports;
    for (const whole of draft.wholeBodies) whole.id = await pages.storeBody(this.#sessionId, whole.text);
    const { page, standing, events } = draft;
    await known.tail.makeRoom(page, pages);
    if (!(await this.#moved(known, page, standing, budget))) return false;
    known.tail.add(page);
    this.#known = { standing, tail: known.tail };
    landed(standing, events); // WRITER-4
    this.#storeLater(known.tail);
    return true;
  }

  /** WRITER-2. */
  async #moved(known: Known, page: Page, after: Standing, budget: RetryBudget): Promise<boolean> {
    for (;;) {
      try {
        const moved = await this.#ports.sessions.move(this.#moveOf(known, page, after));
        if (moved === 'moved') return true;
      } catch (error) {
        await budget.orThrow(error);
      }
      const document = await this.#ports.sessions.load(this.#sessionId);
      if (document !== undefined && document.head > known.standing.head) {
        const isOwn = (await this.#pageAt(document, page.firstSeq))?.writeId === page.writeId;
        if (!isOwn) this.#known = this.#knownOf(document);
        return isOwn;
      }
      if (document === undefined && (await this.#isGone())) throw new SessionNotFound(this.#sessionId);
      await budget.waitOrThrow(); // the other's write is not a majority's yet
    }
  }

  #moveOf({ standing, tail }: Known, page: Page, { session, head, bytes, at, full }: Standing): HeadMove {
    const changed = session === standing.session ? {} : storedState(session);
    const isWanted = wantsSupervisor(session);
    const due = dueAt(session);
    const since = waitingSince(session);
    return {
      sessionId: this.#sessionId,
      after: standing.head,
      set: {
        ...changed,
        head,
        bytes,
        at,
        full,
        ...(isWanted ? { wantedSince: session.statusAt } : {}),
        ...(due === undefined ? {} : { dueAt: due }),
        ...(since === undefined ? {} : { waitsSince: since }),
      },
      unset: [
        ...(isWanted ? [] : (['wantedSince'] as const)),
        ...(due === undefined ? (['dueAt'] as const) : []),
        ...(since === undefined ? (['waitsSince'] as const) : []),
      ],
      waitsChanged: session.waits?.seq !== standing.session.waits?.seq,
      page,
      keep: tail.keep + 1, // WRITER-3
      bytes: bytesOf(page) + RECORD_BYTES,
    };
  }

  /** The page that begins at this seq. */
  #pageAt(document: SessionDocument, firstSeq: number): Promise<Page | undefined> | Page | undefined {
    return firstSeq > loggedOf(document)
      ? document.tail.find((page) => page.firstSeq === firstSeq)
      : this.#ports.pages.pageOf(this.#sessionId, firstSeq);
  }

  /** Beside everything else: the next append waits for it only when the document would grow too large. */
  #storeLater(tail: Tail): void {
    if (!tail.isLong) return;
    tail.store(this.#ports.pages).catch((error: unknown) => {
      this.#ports.logger.warn('pages not stored yet', { sessionId: this.#sessionId, error }); // they stay in the document
    });
  }

  #knownOf(document: SessionDocument): Known {
    const { head, bytes, at, full } = document;
    const standing = { session: sessionOf(document), head, bytes, at, full };
    return { standing, tail: new Tail(document, this.#older) };
  }
}

/** WRITER-5: whose a session is never changes, so what was known last tells. */
function split(
  { standing }: Known,
  waiting: readonly Waiting[],
): { readonly own: readonly Waiting[]; readonly foreign: readonly Waiting[] } {
  const { organisationId } = standing.session;
  const isOwn = ({ request }: Waiting): boolean =>
    request.organisationId === undefined || request.organisationId === organisationId;
  return { own: waiting.filter(isOwn), foreign: waiting.filter((one) => !isOwn(one)) };
}
