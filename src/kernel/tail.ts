/**
 * A Tail is a long-lived async source that can be closed while it waits.
 *
 * An `async function*` cannot: its `return()` queues behind a parked `next()`, and graphql-ws awaits that
 * `return()` on every Complete and every closed socket, so one reader would leak per departed client.
 * Here `return()` aborts the signal that `pull` waits on, and answers at once.
 *
 * TAIL-1 `pull` is never called twice at the same time.
 * TAIL-2 After `return()` every `next()`, parked or later, answers done.
 * TAIL-3 `release` runs exactly once, whichever way the tail ends.
 */
export interface TailSource<T> {
  /** The next value, or undefined at the end. Must settle soon after `signal` aborts. */
  pull(signal: AbortSignal): Promise<T | undefined>;
  release?(): void;
}

/** One for all: by itself each abort makes an error with a stack, for nobody, and clients end what they follow all the time. */
const ENDED = new Error('What read this has ended.');

export function tail<T>(source: TailSource<T>, outer?: AbortSignal): AsyncIterableIterator<T, undefined> {
  const abort = new AbortController();
  let turn: Promise<unknown> = Promise.resolve();
  let ended = false;

  const end = (): void => {
    if (ended) return;
    ended = true;
    outer?.removeEventListener('abort', end);
    abort.abort(ENDED);
    source.release?.(); // TAIL-3
  };
  if (outer?.aborted === true) end();
  else outer?.addEventListener('abort', end, { once: true });

  const pull = async (): Promise<IteratorResult<T, undefined>> => {
    if (ended) return { done: true, value: undefined };
    try {
      const value = await source.pull(abort.signal);
      if (ended) return { done: true, value: undefined }; // TAIL-2
      if (value !== undefined) return { done: false, value };
    } catch (error) {
      if (ended) return { done: true, value: undefined };
      end();
      throw error;
    }
    end();
    return { done: true, value: undefined };
  };

  return {
    next() {
      const result = turn.then(pull); // TAIL-1
      turn = result.catch(() => undefined);
      return result;
    },
    return() {
      end();
      return Promise.resolve({ done: true, value: undefined });
    },
    throw(error) {
      end();
      return Promise.reject(error);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** Resolves when `subscribe` calls back or `signal` aborts; the listener is removed either way. */
export function once(subscribe: (wake: () => void) => () => void, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      unsubscribe();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const unsubscribe = subscribe(done);
    signal.addEventListener('abort', done, { once: true });
  });
}
