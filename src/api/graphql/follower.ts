/**
 * One subscription of one socket: reads its history by itself, page by page, then joins its group. It writes its `next`
 * messages itself; graphql-ws sees an iterator that yields nothing and ends when the subscription does, so closing it, or
 * the socket, releases the reader at once (kernel/tail.ts).
 *
 * FOLLOWER-1 of one socket one page of history is read and made at a time, once there is room for it: subscriptions take turns.
 */
import { charsOf } from '../../../schema/body-weight.ts';
import { goneFrame, type Opened, Sift } from '../../../schema/frame-source.ts';
import { type Frame } from '../../../schema/frame.ts';
import { historyOf } from '../../journal/follow.ts';
import type { LogBudget } from '../../../schema/log-budget.ts';
import type { SessionJournal } from '../../sessions/session-store.ts';
import { PAGE_EVENTS_MAX } from '../../kernel/limit.ts';
import { tail } from '../../kernel/tail.ts';
import type { Fanout } from './fanout.ts';
import type { Group, Member, Wanted } from './group.ts';
import type { Outlet } from './outlet.ts';
import type { Renderer } from './renderer.ts';
import type { Payload } from './payload.ts';
import { nextHead } from './line.ts';

export interface FollowerOptions {
  readonly outlet: Outlet;
  /** The id of the operation on its socket. */
  readonly id: string;
  readonly opened: Opened | Frame;
  readonly renderer: Renderer;
  readonly journal: SessionJournal;
  readonly budget: LogBudget;
  readonly fanout: Fanout;
  /** The kind of its principal. */
  readonly sort: string;
}

/** Ends when the subscription does; throws when the log could not be read. Reading starts with the first `next()`. */
export function followerOf(options: FollowerOptions): AsyncIterableIterator<never, undefined> {
  return tail<never>({
    async pull(signal) {
      await new Follower(options).run(signal);
      return undefined;
    },
  });
}

class Follower implements Member {
  seq = 0;
  readonly #options: FollowerOptions;
  readonly #head: string;
  readonly #left = Promise.withResolvers<void>();

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#head = nextHead(options.id);
  }

  get buffered(): number {
    return this.#options.outlet.buffered;
  }

  send(payload: Payload): void {
    this.#options.outlet.sendNext(this.#head, payload);
  }

  leave(error?: unknown): void {
    if (error === undefined) this.#left.resolve();
    else this.#left.reject(error);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { opened, renderer } = this.#options;
    const last = opened.kind === 'opened' ? await this.#untilGone(opened, signal) : opened;
    const text = last === undefined ? undefined : await renderer.render(last, signal);
    if (text !== undefined && !signal.aborted) this.send(text);
  }

  /** The frame that says that the session is gone, when that is why it ended. */
  async #untilGone(opened: Opened, signal: AbortSignal): Promise<Frame | undefined> {
    try {
      await this.#follow(opened, signal);
      return undefined;
    } catch (error) {
      return goneFrame(error);
    }
  }

  async #follow(opened: Opened, signal: AbortSignal): Promise<void> {
    const { renderer, fanout, sort } = this.#options;
    const { sessionId, filter, deltas, thinking } = opened;
    const sift = new Sift(sessionId, opened.after, filter);
    const wanted: Wanted = { sessionId, filter, deltas, thinking, renderer };
    this.seq = opened.after;
    while (!signal.aborted) {
      if (await this.#page(opened, sift, signal)) continue;
      if (signal.aborted) return;
      const group = await fanout.join(this, wanted, sort);
      if (group !== undefined) return this.#stay(group, signal);
    }
  }

  /** FOLLOWER-1. True when there was one: there may be another. */
  async #page({ sessionId, filter }: Opened, sift: Sift, signal: AbortSignal): Promise<boolean> {
    const { renderer, journal, budget, outlet } = this.#options;
    const release = await outlet.turn.acquire(signal);
    if (release === undefined) return false;
    try {
      await outlet.room(signal);
      await budget.turn(sessionId); // BUDGET-2
      if (signal.aborted) return false;
      const from = this.seq;
      const { events, seq } = await historyOf(journal, sessionId, {
        after: from,
        to: Infinity,
        limit: PAGE_EVENTS_MAX,
        filter,
      });
      if (seq === from) return false;
      await budget.turnToMake(charsOf(events), sessionId); // TURNS-1
      const parts = renderer.cut.parts(events);
      for (const [at, part] of parts.entries()) {
        if (signal.aborted) return false;
        const upTo = (at === parts.length - 1 ? undefined : part.at(-1)?.seq) ?? seq;
        const frame = sift.events(part, upTo);
        const text = frame === undefined ? undefined : await renderer.render(frame, signal);
        if (signal.aborted) return false;
        if (text !== undefined) this.send(text);
        this.seq = upTo;
        await outlet.room(signal);
      }
      return true;
    } finally {
      release();
    }
  }

  /** Until the group is done with it, or the client is. */
  async #stay(group: Group, signal: AbortSignal): Promise<void> {
    const gone = (): void => this.#left.resolve();
    signal.addEventListener('abort', gone, { once: true });
    if (signal.aborted) gone();
    try {
      await this.#left.promise;
    } finally {
      signal.removeEventListener('abort', gone);
      group.remove(this);
    }
  }
}
