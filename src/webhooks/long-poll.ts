/**
 * The wait of a receive: looks, and looks again when something was sent in this process or QUEUE_POLL_MS have passed,
 * until there is something, the time is over or the signal aborts.
 *
 * A ring is a hint: whoever hears it looks again. One that sounds during a look is heard after it.
 */
import type { Clock } from '../kernel/clock.ts';
import type { ReceivedMessage, ReceiveRequest } from './queue.ts';

/** What other processes send, what is due by time: a webhook that starts this much later is no later than its network. */
export const QUEUE_POLL_MS = 500;

export class LongPoll {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #rings = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Something may be there. */
  ring(): void {
    this.#rings += 1;
    for (const wake of this.#waiting) wake();
  }

  async receive(
    { waitMs = 0, signal }: ReceiveRequest,
    look: () => Promise<readonly ReceivedMessage[]>,
  ): Promise<readonly ReceivedMessage[]> {
    const endAt = this.#clock.monotonicNow() + waitMs;
    for (;;) {
      if (signal?.aborted === true) return [];
      const heard = this.#rings;
      const found = await look();
      const leftMs = endAt - this.#clock.monotonicNow();
      if (found.length > 0 || leftMs <= 0) return found;
      if (heard === this.#rings) await this.#wait(Math.min(leftMs, QUEUE_POLL_MS), signal);
    }
  }

  async #wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const woken = new AbortController();
    const wake = (): void => woken.abort();
    this.#waiting.add(wake);
    signal?.addEventListener('abort', wake, { once: true });
    if (signal?.aborted === true) wake();
    try {
      await this.#clock.sleep(ms, woken.signal);
    } finally {
      this.#waiting.delete(wake);
      signal?.removeEventListener('abort', wake);
    }
  }
}
