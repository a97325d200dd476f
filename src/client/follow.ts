/**
 * Following one session across sockets: subscribe from the cursor, keep what comes until it is taken, and when the socket
 * drops, wait a little longer each time and subscribe again from the last cursor.
 *
 * CLIENT-1 The cursor moves with each batch that is kept, so no event is given twice and none is left out.
 * CLIENT-2 What is kept is bounded: a consumer that does not take is unsubscribed, and resumed once it has taken.
 * CLIENT-3 `return()` answers at once, also while `next()` waits.
 */
import type { Client as SocketClient } from 'graphql-ws';
import {
  SessionEventsDocument,
  type SessionEventsSubscription,
  type SessionEventsSubscriptionVariables,
} from './generated/graphql.ts';
import { RequestRefused } from './refusal.ts';

export type Frame = SessionEventsSubscription['sessionEvents'];

/** Frames kept for a consumer that is busy: a hundred batches of a hundred events. */
const KEPT_FRAMES_MAX = 100;
const WAIT_FIRST_MS = 100;
const WAIT_CEILING_MS = 5_000;
/** Codes with which a server says that coming back will not help. */
const FINAL_CLOSE_CODES: ReadonlySet<number> = new Set([4400, 4401, 4403, 4406]);

type Result = IteratorResult<Frame, undefined>;
const DONE: Result = { done: true, value: undefined };

export class Follow implements AsyncIterableIterator<Frame, undefined> {
  readonly #socket: SocketClient;
  readonly #what: SessionEventsSubscriptionVariables;
  readonly #released: () => void;
  readonly #signal: AbortSignal | undefined;
  readonly #kept: Frame[] = [];
  #cursor: string | null | undefined;
  #caughtUp = false;
  #ended = false;
  #failure: unknown;
  /** Set while subscribed. */
  #unsubscribe: (() => void) | undefined;
  #retry: NodeJS.Timeout | undefined;
  #failures = 0;
  #waiting: PromiseWithResolvers<Result> | undefined;
  readonly #abort = (): void => this.#end();

  constructor(
    socket: SocketClient,
    what: SessionEventsSubscriptionVariables,
    released: () => void,
    signal?: AbortSignal,
  ) {
    this.#socket = socket;
    this.#what = what;
    this.#cursor = what.after;
    this.#released = released;
    this.#signal = signal;
    if (signal?.aborted === true) this.#end();
    else signal?.addEventListener('abort', this.#abort, { once: true });
  }

  next(): Promise<Result> {
    const frame = this.#kept.shift();
    if (frame !== undefined) {
      if (this.#kept.length === 0) this.#subscribe(); // CLIENT-2
      return Promise.resolve({ done: false, value: frame });
    }
    if (this.#failure !== undefined) {
      const failure = this.#failure;
      this.#failure = undefined;
      return Promise.reject(failure);
    }
    if (this.#ended) return Promise.resolve(DONE);
    this.#subscribe();
    this.#waiting ??= Promise.withResolvers<Result>();
    return this.#waiting.promise;
  }

  return(): Promise<Result> {
    this.#kept.length = 0;
    this.#end(); // CLIENT-3
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Does nothing when subscribed, waiting to be, or ended. */
  #subscribe(): void {
    if (this.#ended || this.#unsubscribe !== undefined || this.#retry !== undefined) return;
    let current = true;
    const off = this.#socket.subscribe<SessionEventsSubscription>(
      { query: SessionEventsDocument.toString(), variables: { ...this.#what, after: this.#cursor } },
      {
        next: ({ data, errors }) => {
          if (!current) return;
          if (data) this.#take(data.sessionEvents);
          else this.#refused(errors);
        },
        error: (error) => {
          if (current) this.#dropped(error);
        },
        complete: () => {
          if (current) this.#dropped(undefined);
        },
      },
    );
    this.#unsubscribe = () => {
      current = false;
      this.#unsubscribe = undefined;
      off();
    };
  }

  #take(frame: Frame): void {
    this.#failures = 0;
    switch (frame.__typename) {
      case 'EventBatch':
        this.#cursor = frame.cursor; // CLIENT-1
        if (frame.events.length > 0) this.#give(frame);
        return;
      case 'CaughtUp':
        this.#cursor = frame.cursor;
        if (!this.#caughtUp) this.#give(frame);
        this.#caughtUp = true;
        return;
      case 'MessageDelta':
      case 'ThinkingDelta':
        return this.#give(frame);
      case 'SlowConsumer':
        this.#cursor = frame.resumeFrom;
        return;
      case 'SessionGone':
      case 'CursorRefused':
        this.#give(frame);
        return this.#end();
    }
  }

  #give(frame: Frame): void {
    if (this.#waiting !== undefined) {
      this.#waiting.resolve({ done: false, value: frame });
      this.#waiting = undefined;
      return;
    }
    this.#kept.push(frame);
    if (this.#kept.length >= KEPT_FRAMES_MAX) this.#unsubscribe?.(); // CLIENT-2
  }

  #dropped(error: unknown): void {
    this.#unsubscribe?.();
    if (this.#ended) return;
    if (Array.isArray(error)) return this.#refused(error);
    if (isClose(error) && FINAL_CLOSE_CODES.has(error.code)) {
      return this.#fail(
        new RequestRefused(
          error.reason || `The socket was closed with ${error.code}.`,
          `CLOSED_${error.code}`,
        ),
      );
    }
    this.#again();
  }

  /** INTERNAL may pass: the server is starting, or its database is. The rest is about us. */
  #refused(errors: readonly { readonly message: string; readonly extensions?: unknown }[] | undefined): void {
    this.#unsubscribe?.();
    const [error] = errors ?? [];
    const { code = 'UNKNOWN' } = (error?.extensions ?? {}) as { code?: string }; // as: our server's errors have it
    if (code === 'INTERNAL') this.#again();
    else this.#fail(new RequestRefused(error?.message ?? 'The server refused without a word.', code));
  }

  #again(): void {
    const step = Math.min(WAIT_CEILING_MS, WAIT_FIRST_MS * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    this.#retry ??= setTimeout(
      () => {
        this.#retry = undefined;
        this.#subscribe();
      },
      step / 2 + Math.random() * (step / 2),
    );
  }

  #fail(error: unknown): void {
    if (this.#waiting !== undefined) {
      this.#waiting.reject(error);
      this.#waiting = undefined;
    } else this.#failure = error;
    this.#end();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#signal?.removeEventListener('abort', this.#abort);
    clearTimeout(this.#retry);
    this.#unsubscribe?.();
    this.#waiting?.resolve(DONE);
    this.#waiting = undefined;
    this.#released();
  }
}

function isClose(error: unknown): error is { readonly code: number; readonly reason: string } {
  return typeof error === 'object' && error !== null && 'code' in error && 'reason' in error;
}
