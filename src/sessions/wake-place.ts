/**
 * Where a brain begins to read the log of its session. A compaction puts a summary in the place of the conversation before it, so
 * most of a long log is never asked for again; what a compaction leaves as it was is told a little before it. The log is
 * read from its end, so logs of versions before are no different, and the stores need nothing more in it.
 *
 * WAKE-1 A brain that begins at this place takes the steps and makes the requests of one that begins at event 1, byte for byte.
 * WAKE-2 What is read and held for a wake is bounded, however long the log is (docs/adr/0018).
 * WAKE-3 The place is a function of the last compaction and what is before it: brains that come later begin at the same one, so the
 *    prefix of their requests is the same.
 */
import type { BodyOf, RecordedEvent } from '../journal/event.ts';
import type { Journal } from '../journal/journal.ts';
import { pagesBack, type ReadPage } from '../journal/pages-back.ts';
import { nextRound, type Scheduler } from '../kernel/scheduler.ts';
import { compacts } from './call-turn.ts';
import type { Session } from './session.ts';

export interface WakePlace {
  /**
   * Up to here the beginning of the log is read first: the tools of a session that have not been said again, and in a log without a
   * compaction what it is all about. 0: it has nothing that counts.
   */
  readonly beginningTo: number;
  /** Then the events after this one. */
  readonly after: number;
  /** The turn.started that comes first. What stands between `after` and it counts only as far as it is said for that turn. */
  readonly turnSeq: number;
}

type TurnPlace = Pick<WakePlace, 'after' | 'turnSeq'>;

/**
 * Events read back for the last compaction, in about a second: the brain condenses a conversation long before (COMPACT_AT_EVENTS in
 * brain/compaction.ts), and what a real one has in so many is beyond any context.
 */
const BACK_EVENTS_MAX = 100_000;
/** And characters of their bodies: several times the largest context. */
const BACK_CHARS_MAX = 32 * 1024 * 1024;
/** Events before a compaction in which what it leaves as it was is looked for: the longest turn has half as many. */
const BEFORE_EVENTS_MAX = 50_000;
/** Events in which the first model call is looked for, and what is read of the beginning of a log without a compaction. */
const BEGINNING_EVENTS_MAX = 1_000;
/** Refused turns in a row that make a difference (REFUSED_TURNS_MAX in brain/model-caller.ts). */
const REFUSED_TURNS_MAX = 2;
const REQUEST_INVALID = 'MODEL_REQUEST_INVALID';

/** Looks for the place: is shown the events of a log from its end on, one by one, until it has seen enough. */
export class WakeSearch {
  readonly #inTurn: boolean;
  #seq = 0;
  #events = 0;
  #chars = 0;
  #compactedAfter: number | undefined;
  #saysTools = false;
  /** A model call that took up what had been said and happened before it. */
  #answered = false;
  /** Before that: whether tools had been used since the session slept. */
  #worked = false;
  /** How the turns before ended. */
  #ended = false;
  #refused = 0;
  #turn: TurnPlace | undefined;

  /** `inTurn`: a turn runs, and what it has tried is known from its beginning only. */
  constructor(inTurn = false) {
    this.#inTurn = inTurn;
  }

  /** Whether a compaction was found: else the place is one where the conversation is cut. */
  get isCompacted(): boolean {
    return this.#compactedAfter !== undefined;
  }

  /** Whether a call after the compaction says the tools: versions before said them once. */
  get saysTools(): boolean {
    return this.#saysTools;
  }

  /** The best place so far. */
  get turn(): TurnPlace | undefined {
    return this.#turn;
  }

  /** Of the event that was seen last. */
  get seq(): number {
    return this.#seq;
  }

  /** Answers whether it has seen enough. */
  see(event: RecordedEvent): boolean {
    this.#seq = event.seq;
    this.#events += 1;
    this.#chars += event.body.length;
    if (this.#compactedAfter !== undefined) return this.#seeBefore(event, this.#compactedAfter);
    if (event.type === 'conversation.compacted') {
      this.#compactedAfter = this.#events;
      this.#turn = undefined;
    } else if (event.type === 'model.started') {
      this.#saysTools ||= bodyOf<'model.started'>(event).tools !== undefined;
    } else if (event.type === 'turn.started') this.#turn = placeOf(event);
    return this.#suffices && (this.#events >= BACK_EVENTS_MAX || this.#chars >= BACK_CHARS_MAX); // WAKE-2
  }

  #seeBefore(event: RecordedEvent, compactedAfter: number): boolean {
    switch (event.type) {
      case 'model.started':
        this.#answered ||= !compacts(bodyOf<'model.started'>(event).callId);
        break;
      case 'tool.result':
      case 'session.hibernated':
        this.#worked ||= this.#answered;
        break;
      case 'turn.completed':
        this.#refused += 1;
        this.#ended ||=
          bodyOf<'turn.completed'>(event).errorCode !== REQUEST_INVALID || this.#refused >= REFUSED_TURNS_MAX;
        break;
      case 'turn.started':
        this.#turn = placeOf(event);
        if (this.#worked && this.#ended) return true; // WAKE-1
        break;
      default:
    }
    return this.#suffices && this.#events - compactedAfter >= BEFORE_EVENTS_MAX; // WAKE-3: not counted from the head
  }

  get #suffices(): boolean {
    return !this.#inTurn || this.#turn !== undefined;
  }
}

/** Undefined: the log is read from event 1, as a short one is. */
export async function wakePlace(
  ports: { readonly journal: Pick<Journal<never>, 'read'>; readonly scheduler: Scheduler },
  { session, head }: { readonly session: Pick<Session, 'id' | 'turn' | 'pending'>; readonly head: number },
): Promise<WakePlace | undefined> {
  const read = async (after: number, to: number): Promise<readonly RecordedEvent[]> => {
    const events = await ports.journal.read(session.id, { after, limit: to - after });
    await nextRound(ports.scheduler); // an embedded store answers at once, and others are waiting
    return events;
  };
  const search = await searched(read, head, session.turn?.state === 'running');
  if (search === undefined) return undefined;
  const { after, turnSeq } = search.turn ?? betweenTurns(session, search.seq);
  const beginningTo = await beginningOf(search, read, after);
  return after <= beginningTo ? undefined : { beginningTo, after, turnSeq };
}

async function beginningOf(search: WakeSearch, read: ReadPage, after: number): Promise<number> {
  if (!search.isCompacted) return BEGINNING_EVENTS_MAX;
  return search.saysTools ? 0 : firstCall(read, after);
}

/** In very many events no turn was begun, and none runs: what waits now is what there is to know. */
function betweenTurns({ pending }: Pick<Session, 'pending'>, seq: number): TurnPlace {
  const turnSeq = Math.min(seq, pending?.fromSeq ?? seq);
  return { turnSeq, after: turnSeq - 1 };
}

/** Undefined when the log has ended before enough was seen. */
async function searched(read: ReadPage, head: number, inTurn: boolean): Promise<WakeSearch | undefined> {
  const search = new WakeSearch(inTurn);
  for await (const page of pagesBack(read, { from: 1, to: head }))
    for (const event of page) if (search.see(event)) return search;
  return undefined;
}

/** The seq of the first model.started, which says the tools; where there is none, of what was looked at. */
async function firstCall(read: ReadPage, before: number): Promise<number> {
  const to = Math.min(before, BEGINNING_EVENTS_MAX);
  for (let after = 0; after < to; ) {
    const page = await read(after, to);
    const started = page.find(({ type }) => type === 'model.started');
    if (started !== undefined) return started.seq;
    after = page.at(-1)?.seq ?? to;
  }
  return to;
}

function placeOf(event: RecordedEvent): TurnPlace {
  const { inputFromSeq } = bodyOf<'turn.started'>(event);
  return { turnSeq: event.seq, after: Math.max(0, Math.min(inputFromSeq, event.seq) - 1) };
}

/** The journal validated it; ids and numbers are whole in a preview, too. */
function bodyOf<T extends 'model.started' | 'turn.started' | 'turn.completed'>({
  body,
}: RecordedEvent): BodyOf<T> {
  return JSON.parse(body) as BodyOf<T>;
}
