/**
 * Time is a port: everything that decides by time takes a Clock, so a test can own it.
 * `now` is milliseconds since the epoch (UTC).
 */
export interface Clock {
  now(): number;
  /** Milliseconds from some start, for durations: whoever sets the wall clock does not move it. */
  monotonicNow(): number;
  /** Resolves after `ms`, or at once when `signal` aborts; never rejects. The timer dies with the wait. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicNow: () => performance.now(),
  sleep(ms, signal) {
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener('abort', done, { once: true });
    });
  },
};
