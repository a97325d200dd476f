/**
 * The live end of the logs, shared by all readers of this process: a thousand followers of a session cost the store nothing.
 *
 * A session has a tail here as long as somebody reads it or its agent is writing a message. The tail knows a head, keeps the
 * last events up to it, and moves on when the journal hints (or, hints being only hints, when it asks at intervals).
 *
 * LIVE-1 A tail's head moves over every event once, in order: a hint that does not continue it makes the tail read the journal.
 * LIVE-2 Memory is bounded: per tail, and over all tails (then the longest unfed one forgets its events, not its head).
 * LIVE-3 Deltas are ephemeral; a draft is forgotten once its message is in the log (draft.ts).
 * LIVE-4 A delta from another process (live-wire.ts) is shown to those who read its session here, and to nobody else: it neither
 *    makes a tail nor keeps one, so a session that nobody here reads costs this process nothing, wherever its brain talks.
 * LIVE-5 A tail whose session is gone fails with SessionGone or SessionNotFound, and so do those who read it; nobody waits for it for ever.
 *
 * For a fan-out that serves many subscribers by one stream: let each catch up with `follow` on its own, and in the very turn of
 * the event loop in which its position equals `headOf(sessionId)` call `subscribe`, send it `draftsOf` of both kinds, and end its follow. Frames
 * that arrive from then on continue exactly there.
 */
import type { SessionId } from '../kernel/id.ts';
import { type Logger, silentLogger } from '../kernel/logger.ts';
import { type Scheduler, systemScheduler } from '../kernel/scheduler.ts';
import type { Delta, Draft, DraftKind } from './draft.ts';
import type { Hint, Journal } from './journal.ts';
import { type LiveFrame, LiveTail } from './live-tail.ts';
import type { LiveWire } from './live-wire.ts';

/** Without any hint a new event is seen within this long, or within some rounds of it when there are more than POLL_TAILS_MAX tails. */
const POLL_MS = 1_000;
/** Tails that ask their journal at once: an embedded store answers on the main thread, and this many take a few milliseconds. */
const POLL_TAILS_MAX = 500;
/** Events kept over all sessions, in characters of their bodies: what a busy server can spare. */
const TAILS_CHARS_MAX = 64 * 1024 * 1024;
/** Tails in one process beyond which a message that is being written gets no new one: its deltas are not shown. */
const DRAFTING_TAILS_MAX = 20_000;

export interface LiveOptions {
  readonly journal: Pick<Journal<never>, 'read' | 'head' | 'onHint'>;
  /** Absent where there is no other process. */
  readonly wire?: LiveWire | undefined;
  readonly logger?: Logger | undefined;
  readonly pollMs?: number | undefined;
  readonly scheduler?: Scheduler | undefined;
}

export class Live {
  readonly scheduler: Scheduler;
  readonly #journal: LiveOptions['journal'];
  readonly #logger: Logger;
  readonly #pollMs: number;
  readonly #wire: LiveWire | undefined;
  readonly #endHints: () => void;
  readonly #endDeltas: (() => void) | undefined;
  /** The longest unfed first. */
  readonly #tails = new Map<SessionId, LiveTail>();
  /** Those that have not asked the journal in this round. */
  #unasked: LiveTail[] = [];
  #chars = 0;
  #endPoll: (() => void) | undefined;

  constructor(options: LiveOptions) {
    const { journal, wire, logger = silentLogger, pollMs = POLL_MS, scheduler = systemScheduler } = options;
    this.scheduler = scheduler;
    this.#journal = journal;
    this.#wire = wire;
    this.#logger = logger;
    this.#pollMs = pollMs;
    this.#endHints = journal.onHint((hint) => this.#hinted(hint));
    this.#endDeltas = wire?.onDelta((sessionId, delta) => this.#tails.get(sessionId)?.overhear(delta)); // LIVE-4
  }

  /** Holds the session's tail for one reader, until `tail.release(reader)`; `reader` is called after each change. */
  hold(sessionId: SessionId, reader: () => void): LiveTail {
    const tail = this.#tailOf(sessionId);
    tail.readers.add(reader);
    return tail;
  }

  /**
   * Pushes every event after the tail's present head, in order and without gaps, and every delta. When nobody held the tail
   * before, the present head is the one that the journal answers next. `listener` must not throw. Answers its end.
   */
  subscribe(sessionId: SessionId, listener: (frame: LiveFrame) => void): () => void {
    const tail = this.#tailOf(sessionId);
    const own = (frame: LiveFrame): void => listener(frame); // its own entry, so that the same function may listen twice
    tail.listeners.add(own);
    return () => {
      tail.listeners.delete(own);
      this.#drop(tail);
    };
  }

  /** How far the tail is: the seq that the next frame continues. Undefined when nobody holds it. */
  headOf(sessionId: SessionId): number | undefined {
    return this.#tails.get(sessionId)?.head;
  }

  /** The messages that are being written, or the thinking, with the text so far: one of each open call. */
  draftsOf(sessionId: SessionId, kind: DraftKind = 'message'): readonly Draft[] {
    const drafts = this.#tails.get(sessionId)?.drafts.all() ?? [];
    return [...drafts].filter((draft) => draft.kind === kind);
  }

  /** What has been shown of the message of a call; undefined when it is nothing, or the message is in the log. */
  messageOf(sessionId: SessionId, callId: string): string | undefined {
    return this.draftsOf(sessionId).find((draft) => draft.callId === callId)?.text;
  }

  /**
   * What a model call has just said, here; the other processes are told. Never journalled. A message whose beginning a process
   * has not seen (it was started again, or had no reader yet) is shown there from the next call on; its whole text comes with
   * the event.
   */
  delta(sessionId: SessionId, delta: Delta): void {
    this.#wire?.post(sessionId, delta);
    if (!this.#tails.has(sessionId) && (delta.offset > 0 || this.#tails.size >= DRAFTING_TAILS_MAX)) return;
    const tail = this.#tailOf(sessionId);
    tail.write(delta);
    this.#drop(tail);
  }

  /** Ends the hints, the wire's deltas and the polling; follows end. */
  close(): void {
    this.#endHints();
    this.#endDeltas?.();
    this.#endPoll?.();
    this.#endPoll = undefined;
    for (const tail of this.#tails.values()) tail.close();
    this.#tails.clear();
    this.#unasked = [];
    this.#chars = 0;
  }

  #tailOf(sessionId: SessionId): LiveTail {
    const known = this.#tails.get(sessionId);
    if (known !== undefined) return known;
    const tail = new LiveTail({
      sessionId,
      journal: this.#journal,
      logger: this.#logger,
      scheduler: this.scheduler,
      fed: (chars) => this.#fed(tail, chars),
      unused: () => this.#drop(tail),
    });
    this.#tails.set(sessionId, tail);
    this.#endPoll ??= this.scheduler.interval(this.#pollMs, () => this.#pollSome());
    return tail;
  }

  #hinted(hint: Hint): void {
    this.#tails.get(hint.sessionId)?.hinted(hint);
  }

  /** Round by round over all tails, each as long as somebody needs it. */
  #pollSome(): void {
    if (this.#unasked.length === 0) this.#unasked = [...this.#tails.values()];
    for (const tail of this.#unasked.splice(-POLL_TAILS_MAX)) {
      if (this.#tails.get(tail.sessionId) === tail) tail.poll();
    }
  }

  /** LIVE-2 over all tails. */
  #fed(tail: LiveTail, chars: number): void {
    if (this.#tails.get(tail.sessionId) !== tail) return;
    this.#chars += chars;
    if (chars <= 0) return;
    this.#tails.delete(tail.sessionId);
    this.#tails.set(tail.sessionId, tail);
    for (const unfed of this.#tails.values()) {
      if (this.#chars <= TAILS_CHARS_MAX) return;
      unfed.forgetEvents();
    }
  }

  #drop(tail: LiveTail): void {
    if (tail.inUse || this.#tails.get(tail.sessionId) !== tail) return;
    tail.forgetEvents();
    tail.close();
    this.#tails.delete(tail.sessionId);
    if (this.#tails.size > 0) return;
    this.#unasked = [];
    this.#endPoll?.();
    this.#endPoll = undefined;
  }
}
