/**
 * Tells live watchers what the model is writing, a few pieces at a time. Deltas are a courtesy: they never hold up the
 * model's stream, failures are ignored, and the finished message is journalled in any case.
 */
import type { Clock } from '../kernel/clock.ts';
import type { UnitDelta } from '../sessions/unit-wire.ts';
import type { Unit } from './unit.ts';

/** One post at most this often: below what an eye resolves, and a fast model writes several pieces in it. */
const INTERVAL_MS = 25;
/** Text that waits while a post is under way; beyond it the door is stuck and the rest of the call goes untold. */
const WAITING_CHARS_MAX = 64 * 1024;

export class DeltaPost {
  readonly #unit: Unit;
  readonly #clock: Clock;
  readonly #callId: string;
  readonly #kind: 'message' | 'thinking';
  readonly #abort = new AbortController();
  #offset = 0;
  #text = '';
  #posting: Promise<void> | undefined;
  #silent = false;

  constructor(
    ports: { readonly unit: Unit; readonly clock: Clock },
    callId: string,
    kind: 'message' | 'thinking',
  ) {
    this.#unit = ports.unit;
    this.#clock = ports.clock;
    this.#callId = callId;
    this.#kind = kind;
  }

  push(text: string): void {
    if (this.#silent || text === '') return;
    this.#text += text;
    if (this.#text.length > WAITING_CHARS_MAX) this.#silent = true;
    else if (wholeOf(this.#text) !== '') this.#posting ??= this.#run();
  }

  /** Drops what was not told: the attempt is over, and its message is journalled or void. */
  async close(): Promise<void> {
    this.#abort.abort();
    await this.#posting;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    for (;;) {
      const text = wholeOf(this.#text);
      if (text === '' || this.#silent || signal.aborted) break;
      this.#text = this.#text.slice(text.length);
      const kind = this.#kind === 'thinking' ? { kind: this.#kind } : {};
      const delta: UnitDelta = { callId: this.#callId, ...kind, offset: this.#offset, text };
      this.#offset += text.length;
      try {
        await this.#unit.postDelta(delta, signal);
        await this.#clock.sleep(INTERVAL_MS, signal);
      } catch {
        this.#silent = true; // a courtesy: the message itself will be journalled
      }
    }
    this.#posting = undefined;
  }
}

/** Without half a character at the end, whose other half is to come: each half alone would be shown as U+FFFD. */
function wholeOf(text: string): string {
  const last = text.charCodeAt(text.length - 1); // NaN, of an empty text, is none
  return last >= 0xd800 && last <= 0xdbff ? text.slice(0, -1) : text;
}
