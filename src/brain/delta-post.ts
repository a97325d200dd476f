/**
 * Tells live watchers what the model is writing, a few pieces at a time. Deltas are a courtesy: they never hold up the
 * model's stream, failures are ignored, and the finished message is journalled in any case.
 */
import type { Clock } from '../kernel/clock.ts';
import type { Unit } from './unit.ts';

/** One post at most this often: below what an eye resolves, and a fast model writes several pieces in it. */
const INTERVAL_MS = 25;
/** Text that waits while a post is under way; beyond it the door is stuck and the rest of the call goes untold. */
const WAITING_CHARS_MAX = 64 * 1024;

export class DeltaPost {
  readonly #unit: Unit;
  readonly #clock: Clock;
  readonly #callId: string;
  readonly #signal: AbortSignal;
  #offset = 0;
  #text = '';
  #posting: Promise<void> | undefined;
  #given = false;

  constructor(ports: { unit: Unit; clock: Clock }, callId: string, signal: AbortSignal) {
    this.#unit = ports.unit;
    this.#clock = ports.clock;
    this.#callId = callId;
    this.#signal = signal;
  }

  push(text: string): void {
    if (this.#given || text === '') return;
    this.#text += text;
    if (this.#text.length > WAITING_CHARS_MAX) this.#given = true;
    else this.#posting ??= this.#run();
  }

  /** Resolves when nothing is under way any more; at once after the signal aborted. */
  async close(): Promise<void> {
    await this.#posting;
  }

  async #run(): Promise<void> {
    while (this.#text !== '' && !this.#given && !this.#signal.aborted) {
      const text = this.#text;
      this.#text = '';
      const delta = { callId: this.#callId, offset: this.#offset, text };
      this.#offset += text.length;
      try {
        await this.#unit.postDelta(delta, this.#signal);
        await this.#clock.sleep(INTERVAL_MS, this.#signal);
      } catch {
        this.#given = true; // a courtesy: the message itself will be journalled
      }
    }
    this.#posting = undefined;
  }
}
