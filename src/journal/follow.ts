/**
 * Follow: a session's log from a cursor on, history first, then live, without an end.
 *
 * FOLLOW-1 Every event after the cursor comes exactly once and in order. The seam between history and live is the position alone: the
 *    next event is always the one after it, from the shared tail where that reaches back far enough, else from the store.
 *
 * `caughtUp` comes once, when the position first reaches the head. A reader that is slow gets larger steps, never a queue: what
 * it has not taken waits in the log, and of what is being written it gets the text so far in one piece.
 * Throws SessionNotFound or SessionGone at the first step, and SessionGone once it is deleted. Ends when `signal` aborts, `return()` is called, or the server's Live closes.
 */
import type { SessionId } from '../kernel/id.ts';
import { PAGE_EVENTS_MAX } from '../kernel/limit.ts';
import { nextRound } from '../kernel/scheduler.ts';
import { tail } from '../kernel/tail.ts';
import { type DeltaFrame, draftKey, frameOf } from './draft.ts';
import { type EventFilter, isOpen } from './event-filter.ts';
import type { RecordedEvent } from './event.ts';
import type { Journal, Scanned, ScanRange } from './journal.ts';
import type { Live } from './live.ts';
import type { LiveTail } from './live-tail.ts';

export type Follow =
  /** `seq`: up to it the log has been read; greater than the last event's where the filter left some out. */
  | {
      readonly kind: 'events';
      readonly events: readonly RecordedEvent[];
      readonly seq: number;
      readonly head: number;
    }
  | { readonly kind: 'caughtUp'; readonly seq: number }
  | DeltaFrame;

export interface FollowPorts {
  readonly journal: Pick<Journal<never>, 'read' | 'scan'>;
  readonly live: Live;
}

export interface FollowRequest {
  readonly sessionId: SessionId;
  /** Events with a greater seq. */
  readonly after: number;
  /** Whether to give messages and thinking while they are being written; from when the log has been caught up with. */
  readonly deltas: boolean;
  /** Whether thinking is among them. Default: true. */
  readonly thinking?: boolean | undefined;
  /** What the store may leave out of the history; what is live comes whole, and is for the caller to filter. */
  readonly filter?: EventFilter | undefined;
  /** Before each page of history, where those who read take turns. */
  readonly turn?: (() => Promise<void>) | undefined;
}

export function follow(
  ports: FollowPorts,
  request: FollowRequest,
  signal?: AbortSignal,
): AsyncIterableIterator<Follow, undefined> {
  const follower = new Follower(ports, request);
  return tail({ pull: (stop) => follower.pull(stop), release: () => follower.release() }, signal);
}

class Follower {
  readonly #ports: FollowPorts;
  readonly #request: FollowRequest;
  #tail: LiveTail | undefined;
  #position: number;
  #caughtUp = false;
  /** Of each draft: how much of which generation has been given. */
  #given = new Map<string, { readonly generation: number; readonly length: number }>();
  /** Set by the tail after each change; wakes a parked pull. */
  #changed = false;
  #wake: () => void = () => undefined;
  readonly #onChange = (): void => {
    this.#changed = true;
    this.#wake();
  };

  constructor(ports: FollowPorts, request: FollowRequest) {
    this.#ports = ports;
    this.#request = request;
    this.#position = request.after;
  }

  async pull(signal: AbortSignal): Promise<Follow | undefined> {
    this.#tail ??= this.#ports.live.hold(this.#request.sessionId, this.#onChange);
    while (!signal.aborted && !this.#tail.closed) {
      this.#changed = false;
      const step = await this.#step(this.#tail);
      if (step !== undefined) return step;
      await this.#change(signal);
    }
    return undefined;
  }

  release(): void {
    this.#tail?.release(this.#onChange);
  }

  async #step(live: LiveTail): Promise<Follow | undefined> {
    if (live.failure !== undefined) throw failureOf(live.failure);
    if (live.head === undefined) return undefined;
    if (this.#position < live.head) return this.#events(live, live.head);
    if (!this.#caughtUp) {
      this.#caughtUp = true;
      return { kind: 'caughtUp', seq: this.#position };
    }
    return this.#request.deltas ? this.#delta(live) : undefined;
  }

  /** FOLLOW-1. Never beyond the tail's head, so that position and tail can be compared (live.ts, fan-out). */
  async #events(live: LiveTail, head: number): Promise<Follow | undefined> {
    const after = this.#position;
    const kept = live.eventsAfter(after);
    const { events, seq } =
      kept === undefined
        ? await this.#history(after, head)
        : { events: kept, seq: kept.at(-1)?.seq ?? after };
    if (seq <= after) return undefined;
    this.#position = seq;
    return { kind: 'events', events, seq, head: Math.max(live.head ?? head, seq) };
  }

  /** Lets the event loop go round after each page: an embedded store answers at once, and a long history would hold up everybody. */
  async #history(after: number, head: number): Promise<Scanned> {
    const { sessionId, filter = {}, turn } = this.#request;
    await turn?.();
    const history = await historyOf(this.#ports.journal, sessionId, {
      after,
      to: head,
      limit: PAGE_EVENTS_MAX,
      filter,
    });
    if (turn === undefined) await nextRound(this.#ports.live.scheduler);
    return history;
  }

  #delta(live: LiveTail): Follow | undefined {
    const given = new Map<string, { generation: number; length: number }>();
    let news: Follow | undefined;
    for (const { callId, kind, generation, text } of live.drafts.all()) {
      if (kind === 'thinking' && this.#request.thinking === false) continue;
      const key = draftKey({ kind, callId });
      const before = this.#given.get(key);
      const offset = before?.generation === generation ? before.length : 0;
      const isNews = news === undefined && offset < text.length;
      if (isNews) news = frameOf({ kind, callId, offset, text: text.slice(offset) });
      given.set(key, { generation, length: isNews ? text.length : offset });
    }
    this.#given = given;
    return news;
  }

  #change(signal: AbortSignal): Promise<void> {
    if (this.#changed || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        this.#wake = () => undefined;
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#wake = done;
      signal.addEventListener('abort', done, { once: true });
    });
  }
}

/** The next page of what passes: by SCAN-1 where the filter leaves something out. */
export async function historyOf(
  journal: FollowPorts['journal'],
  sessionId: SessionId,
  { after, to, limit, filter }: ScanRange,
): Promise<Scanned> {
  if (!isOpen(filter)) return journal.scan(sessionId, { after, to, limit, filter });
  const events = await journal.read(sessionId, { after, limit: Math.min(limit, to - after) });
  return { events, seq: events.at(-1)?.seq ?? after };
}

/** A fault as it is: SessionGone says what is wrong. */
function failureOf(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error('The log could not be read.', { cause: thrown });
}
