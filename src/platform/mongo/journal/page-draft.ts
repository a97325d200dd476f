/**
 * What the waiting appends come to on one standing of their session: each decides on the record as the one before it left it. Nothing
 * here is told or written until the page has landed; when another writer was first, the draft is thrown away and made again.
 */
import { EpochStale, LogFull } from '../../../journal/faults.ts';
import type { Appended, AppendRequest } from '../../../journal/journal.ts';
import type { RecordedEvent } from '../../../journal/event.ts';
import { APPEND_EVENTS_MAX, PAGE_BYTES_MAX } from '../../../kernel/limit.ts';
import {
  assertKey,
  type LateUsage,
  type LogCaps,
  type Plan,
  planDecision,
  type Standing,
} from '../../../sessions/append-plan.ts';
import type { Session, Turn } from '../../../sessions/session.ts';
import { keyIdOf, type Page, type StoredEvent, storedEvent, type StoredKey } from './session-document.ts';

/** An append that waits for its answer. */
export interface Waiting {
  readonly request: AppendRequest<Session>;
  resolve(appended: Appended<Session>): void;
  reject(error: unknown): void;
}

/** A body that goes beside its event. `id` is set once it has been written. */
interface WholeBody {
  readonly text: string;
  id: string | undefined;
}

export interface PageDraftOptions {
  readonly now: number;
  readonly caps: LogCaps;
  /** JOURNAL-5: keys that were used before, by their ids. Grows by those of the draft. */
  readonly used: Map<string, StoredKey>;
  readonly writeId: string;
}

export class PageDraft {
  readonly #before: Standing;
  readonly #options: PageDraftOptions;
  readonly #events: { readonly event: RecordedEvent; readonly whole: WholeBody | undefined }[] = [];
  readonly #keys: StoredKey[] = [];
  readonly #turns: Turn[] = [];
  readonly #lateUsage: LateUsage[] = [];
  readonly #settlements: (() => void)[] = [];
  #bytes = 0;
  /** Where the session stands after the appends taken so far. */
  standing: Standing;

  constructor(standing: Standing, options: PageDraftOptions) {
    this.#before = standing;
    this.standing = standing;
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#events.length === 0;
  }

  get events(): readonly RecordedEvent[] {
    return this.#events.map(({ event }) => event);
  }

  /** The bodies to be written before the page is. */
  get wholeBodies(): readonly WholeBody[] {
    return this.#events.flatMap(({ whole }) => whole ?? []);
  }

  get page(): Page {
    const events = this.#events.map(({ event, whole }): StoredEvent => storedEvent(event, whole?.id));
    return {
      firstSeq: this.#before.head + 1,
      events,
      keys: this.#keys.length === 0 ? undefined : this.#keys,
      turns: this.#turns.length === 0 ? undefined : this.#turns,
      lateUsage: this.#lateUsage.length === 0 ? undefined : this.#lateUsage,
      writeId: this.#options.writeId,
    };
  }

  /** Takes the first of them, at least one, as long as they fit one page; answers the others. */
  take(waiting: readonly Waiting[]): readonly Waiting[] {
    for (const [index, one] of waiting.entries()) {
      if (this.#bytes >= PAGE_BYTES_MAX || !this.#took(one)) return waiting.slice(index);
    }
    return [];
  }

  /** Tells everyone who was taken; after the page has landed, or when there is none. */
  settle(): void {
    for (const settle of this.#settlements) settle();
  }

  /** False when it does not fit any more. */
  #took({ request, resolve, reject }: Waiting): boolean {
    let settle: () => void;
    try {
      const appended = this.#append(request);
      if (appended === 'does not fit') return false;
      settle = () => resolve(appended);
    } catch (error) {
      settle = () => reject(error);
    }
    this.#settlements.push(settle);
    return true;
  }

  /** The order matters: a replay of one's own step succeeds whatever happened since (JOURNAL-5), and only then the epoch counts. */
  #append({ key, epoch, decide }: AppendRequest<Session>): Appended<Session> | 'does not fit' {
    assertKey(key);
    const { session, head } = this.standing;
    const before = key === undefined ? undefined : this.#options.used.get(keyIdOf(session.id, key));
    if (before !== undefined)
      return { firstSeq: before.firstSeq, lastSeq: before.lastSeq, replayed: true, state: session };
    if (epoch !== undefined && epoch !== session.epoch) throw new EpochStale(epoch, session.epoch); // JOURNAL-4
    const { now, caps } = this.#options;
    const plan = planDecision(this.standing, decide(session, this.standing.full), now, caps);
    if (plan === undefined) return { firstSeq: head + 1, lastSeq: head, replayed: false, state: session };
    if (!this.isEmpty && this.#events.length + plan.events.length > APPEND_EVENTS_MAX) return 'does not fit';
    this.#apply(plan, key);
    if (plan.full) throw new LogFull(session.id); // JOURNAL-6
    return { firstSeq: head + 1, lastSeq: this.standing.head, replayed: false, state: this.standing.session };
  }

  #apply(plan: Plan, key: string | undefined): void {
    const { session, head } = this.standing;
    for (const { event, whole } of plan.events) {
      this.#events.push({ event, whole: whole === undefined ? undefined : { text: whole, id: undefined } });
      this.#bytes += event.body.length;
    }
    this.#turns.push(...endedTurns(session.turn, plan));
    this.#lateUsage.push(...plan.lateUsage);
    const last = plan.events.at(-1);
    this.standing = {
      session: plan.session,
      head: head + plan.events.length,
      bytes: last?.bytes ?? this.standing.bytes,
      at: last?.event.at ?? this.standing.at,
      full: plan.full,
    };
    if (key === undefined || plan.full) return;
    const used = { id: keyIdOf(session.id, key), firstSeq: head + 1, lastSeq: this.standing.head };
    this.#options.used.set(used.id, used);
    this.#keys.push(used);
  }
}

/** The turns that are not the session's last one any more, as they were in the end. */
function endedTurns(before: Turn | undefined, { turns, session }: Plan): readonly Turn[] {
  const last = session.turn?.number ?? 0;
  if (before === undefined || before.number === last) return [];
  const byNumber = new Map([before, ...turns].map((turn) => [turn.number, turn]));
  return [...byNumber.values()].filter(({ number }) => number < last);
}
