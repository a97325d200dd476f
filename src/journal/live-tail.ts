/** The live end of one session's log; live.ts says what it promises. */
import type { SessionId } from '../kernel/id.ts';
import { PAGE_EVENTS_MAX } from '../kernel/limit.ts';
import type { Logger } from '../kernel/logger.ts';
import { nextRound, type Scheduler } from '../kernel/scheduler.ts';
import { type Delta, type DeltaFrame, Drafts, frameOf } from './draft.ts';
import type { RecordedEvent } from './event.ts';
import { SessionGone, SessionNotFound } from './faults.ts';
import type { Hint, Journal } from './journal.ts';

/** A store that has just changed its primary may not know a new session for a moment; one that says so at the next look too is right. */
const GONE_LOOKS = 2;
/** Events kept for readers that are a little behind; the rest is read from the store. */
const TAIL_EVENTS_MAX = 512;
/** The same in characters of their bodies. */
const TAIL_CHARS_MAX = 512 * 1024;

export type LiveFrame =
  | { readonly kind: 'events'; readonly events: readonly RecordedEvent[]; readonly head: number }
  | DeltaFrame;

export interface LiveTailPorts {
  readonly sessionId: SessionId;
  readonly journal: Pick<Journal<never>, 'read' | 'head'>;
  readonly logger: Logger;
  readonly scheduler: Scheduler;
  /** Told how many characters the kept events have grown by. */
  readonly fed: (chars: number) => void;
  /** Told when nobody may need this tail any more. */
  readonly unused: () => void;
}

export class LiveTail {
  readonly sessionId: SessionId;
  readonly drafts = new Drafts();
  /** Called after each change. */
  readonly readers = new Set<() => void>();
  /** Given each change. */
  readonly listeners = new Set<(frame: LiveFrame) => void>();
  readonly #ports: LiveTailPorts;
  /** The last events up to the head, without gaps. */
  #kept: RecordedEvent[] = [];
  #keptChars = 0;
  #head: number | undefined;
  #failure: unknown;
  /** How far the journal is known to go. */
  #target = 0;
  #moving = false;
  #closed = false;
  /** How often in a row the journal has said that there is no such session. */
  #goneCount = 0;
  /** Whether the drafts are written through this process; LIVE-4. */
  #writtenHere = false;

  constructor(ports: LiveTailPorts) {
    this.sessionId = ports.sessionId;
    this.#ports = ports;
    void this.#move();
  }

  /** Undefined until the journal has answered for the first time. */
  get head(): number | undefined {
    return this.#head;
  }

  /** Why nothing comes any more: the tail never had a head, or the session is gone (SessionGone, SessionNotFound). */
  get failure(): unknown {
    return this.#failure;
  }

  /** True once the server stops: nothing will change any more. */
  get closed(): boolean {
    return this.#closed;
  }

  get inUse(): boolean {
    return this.readers.size > 0 || this.listeners.size > 0 || (this.#writtenHere && this.drafts.size > 0);
  }

  release(reader: () => void): void {
    this.readers.delete(reader);
    this.#ports.unused();
  }

  /** Up to a page of the kept events after `after`; undefined when they do not reach back that far. */
  eventsAfter(after: number): readonly RecordedEvent[] | undefined {
    const first = this.#kept[0]?.seq;
    if (first === undefined || after + 1 < first) return undefined;
    return this.#kept.slice(after + 1 - first, after + 1 - first + PAGE_EVENTS_MAX);
  }

  hinted({ head, events, gone }: Hint): void {
    if (gone === true) this.#fail(new SessionGone(this.sessionId)); // LIVE-5
    if (events !== undefined) this.drafts.landed(events); // LIVE-3, also when it is no news for the head
    this.#target = Math.max(this.#target, head);
    if (this.#failure === undefined && this.#head !== undefined && !this.#moving && head > this.#head) {
      if (events?.at(-1)?.seq === head && continues(this.#head, events)) this.#feed(events);
      else void this.#move();
    }
    if (!this.inUse) this.#ports.unused();
  }

  /** Asks the journal how far it goes, and has readers look again: a store that was behind may have caught up. */
  poll(): void {
    if (this.#moving || this.#failure !== undefined) return;
    void this.#move().then(() => this.#wakeReaders());
  }

  write(delta: Delta): void {
    this.#writtenHere = true;
    this.#show(delta);
  }

  /** A delta that another process was given. */
  overhear(delta: Delta): void {
    this.#writtenHere = false;
    this.#show(delta);
  }

  #show(delta: Delta): void {
    if (this.#failure !== undefined) return; // of a brain that has not been ended yet
    const news = this.drafts.write(delta);
    if (news !== undefined) this.#changed(frameOf(news));
  }

  forgetEvents(): void {
    const chars = this.#keptChars;
    this.#kept = [];
    this.#keptChars = 0;
    this.#ports.fed(-chars);
  }

  close(): void {
    this.#closed = true;
    this.#wakeReaders();
  }

  /** Brings the head to where the journal is. Never rejects: an outage is logged, and the next poll tries again. */
  async #move(): Promise<void> {
    this.#moving = true;
    const { sessionId, journal, logger, scheduler } = this.#ports;
    try {
      // A hint from another process has said how far to read already.
      const isTold = this.#head !== undefined && this.#head < this.#target;
      if (!isTold) this.#target = Math.max(this.#target, await journal.head(sessionId));
      if (this.#head === undefined) this.#start();
      while (!this.#closed && this.#head !== undefined && this.#head < this.#target) {
        const events = await journal.read(sessionId, { after: this.#head, limit: PAGE_EVENTS_MAX });
        if (events.length === 0 || this.#closed) break; // the store that was asked is behind; the next poll sees it
        this.#feed(events);
        await nextRound(scheduler); // an embedded store answers at once, and a long way would hold up everybody
      }
      this.#goneCount = 0;
    } catch (error) {
      this.#goneCount = error instanceof SessionNotFound ? this.#goneCount + 1 : 0;
      const isGone = error instanceof SessionGone || this.#goneCount >= GONE_LOOKS;
      if (this.#head === undefined || isGone)
        this.#fail(error); // LIVE-5
      else if (!this.#closed) logger.warn('a live tail could not read its journal', { sessionId, error });
    } finally {
      this.#moving = false;
      if (!this.inUse) this.#ports.unused();
    }
  }

  #start(): void {
    this.#head = this.#target;
    this.#wakeReaders();
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.forgetEvents();
    this.drafts.clear();
    this.#wakeReaders();
  }

  /** LIVE-1: `given` reaches beyond the head and leaves no gap. */
  #feed(given: readonly RecordedEvent[]): void {
    const head = this.#head ?? 0;
    const events = given[0]?.seq === head + 1 ? given : given.filter(({ seq }) => seq > head);
    const last = events.at(-1);
    if (last === undefined) return;
    this.drafts.landed(events); // LIVE-3
    this.#head = last.seq;
    this.#keep(events);
    this.#changed({ kind: 'events', events, head: last.seq });
  }

  /** LIVE-2 of this tail. */
  #keep(events: readonly RecordedEvent[]): void {
    const before = this.#keptChars;
    for (const event of events) {
      this.#kept.push(event);
      this.#keptChars += event.body.length;
    }
    let over = 0;
    while (this.#kept.length - over > TAIL_EVENTS_MAX || this.#keptChars > TAIL_CHARS_MAX) {
      this.#keptChars -= this.#kept[over]?.body.length ?? 0;
      over += 1;
    }
    if (over > 0) this.#kept.splice(0, over);
    this.#ports.fed(this.#keptChars - before);
  }

  #changed(frame: LiveFrame): void {
    for (const listener of this.listeners) listener(frame);
    this.#wakeReaders();
  }

  #wakeReaders(): void {
    for (const reader of this.readers) reader();
  }
}

function continues(head: number, events: readonly RecordedEvent[]): boolean {
  const first = events[0];
  return first !== undefined && first.seq <= head + 1;
}
