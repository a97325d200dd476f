/** The machine's time, and as much more as the test has let pass. Sleeps are real: what waits in a test waits briefly. */
import { type Clock, systemClock } from '../../src/kernel/clock.ts';

export class ShiftedClock implements Clock {
  #aheadMs = 0;

  now(): number {
    return systemClock.now() + this.#aheadMs;
  }

  monotonicNow(): number {
    return systemClock.monotonicNow() + this.#aheadMs;
  }

  pass(ms: number): void {
    this.#aheadMs += ms;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return systemClock.sleep(ms, signal);
  }
}
