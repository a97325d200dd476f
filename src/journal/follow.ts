/**
 * Follow: a session's log from a cursor on, history first, then live, without an end.
 *
 * FOLLOW-1 Every event after the cursor comes exactly once and in order. The seam between history and live is the position alone: the
 *    next event is always the one after it, from the shared tail where that reaches back far enough, else from the store.
 *
 * `caughtUp` comes once, when the position first reaches the head. A reader that is slow gets larger steps, never a queue: what
 * it has not taken waits in the log, and of what is being written it gets the text so far in one piece.
 * Throws SessionNotFound at the first step. Ends when `signal` aborts, `return()` is called, or the server's Live closes.
 */
import type { SessionId } from '../kernel/id.ts';
import { PAGE_EVENTS_MAX } from '../kernel/limit.ts';
import { nextRound } from '../kernel/scheduler.ts';
import { tail } from '../kernel/tail.ts';
import { type DeltaFrame, draftKey, frameOf } from './draft.ts';
import type { RecordedEvent } from './event.ts';
import type { Journal } from './journal.ts';
import type { Live } from './live.ts';
import type { LiveTail } from './live-tail.ts';

export type Follow =
  | { readonly kind: 'events'; readonly events: readonly RecordedEvent[]; readonly head: number }
  | { readonly kind: 'caughtUp'; readonly seq: number }
  | DeltaFrame;

export interface FollowPorts {
  readonly journal: Pick<Journal<never>, 'read'>;
  readonly live: Live;
}

export interface FollowRequest {
  readonly sessionId: SessionId;
  /** Events with a greater seq. */
  readonly after: number;
  /** Whether to give messages and thinking while they are being written; from when the log has been caught up with. */
  readonly deltas: boolean;
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
    const limit = Math.min(PAGE_EVENTS_MAX, head - after);
    const events = live.eventsAfter(after) ?? (await this.#history(after, limit));
    const last = events.at(-1);
    if (last === undefined) return undefined;
    this.#position = last.seq;
    return { kind: 'events', events, head: Math.max(live.head ?? head, last.seq) };
  }

  /** Lets the event loop go round after each page: an embedded store answers at once, and a long history would hold up everybody. */
  async #history(after: number, limit: number): Promise<readonly RecordedEvent[]> {
    const events = await this.#ports.journal.read(this.#request.sessionId, { after, limit });
    await nextRound(this.#ports.live.scheduler);
    return events;
  }

  #delta(live: LiveTail): Follow | undefined {
    const given = new Map<string, { generation: number; length: number }>();
    let news: Follow | undefined;
    for (const { callId, kind, generation, text } of live.drafts.all()) {
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

/** A fault as it is: SessionNotFound says what is wrong. */
function failureOf(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error('The log could not be read.', { cause: thrown });
}
