/**
 * Watches the size of the workspace while anything runs in it. Nothing in the kernel bounds a folder as a whole, so this
 * measures and ends what writes: the bound can be passed by what is written between two looks, no more.
 *
 * A workspace that is over its bound already may shrink: only growth is refused then, so it can be cleaned up.
 */
import { sizeOf, type Size } from './workspace-size.ts';

/** Between two looks, at least; a big workspace takes longer to measure and is looked at less often. */
const LOOK_MS = 100;
/** At most this part of the time is spent measuring: one in so many. */
const LOOK_SHARE = 5;

export interface QuotaPorts {
  readonly folder: string;
  readonly max: Size;
  /** Whether something may be writing: a command, or a daemon that one left behind. */
  busy(): boolean;
  /** Called with an explanation for the model; ends what writes. */
  onOver(explanation: string): void;
}

export class Quota {
  readonly #ports: QuotaPorts;
  readonly #closed = new AbortController();
  #allowed: Size;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  constructor(ports: QuotaPorts) {
    this.#ports = ports;
    this.#allowed = ports.max;
  }

  /** Something starts to write. */
  watch(): void {
    if (this.#looking !== undefined || this.#timer !== undefined || this.#closed.signal.aborted) return;
    this.#looking = this.#look().finally(() => {
      this.#looking = undefined;
    });
  }

  /** Undefined when there is room; else an explanation. */
  async refusal(bytes: number): Promise<string | undefined> {
    const size = await sizeOf(this.#ports.folder, this.#ports.max, this.#closed.signal);
    return size.bytes + bytes > this.#ports.max.bytes || size.entries > this.#ports.max.entries ? this.#explain() : undefined;
  }

  async close(): Promise<void> {
    this.#closed.abort();
    clearTimeout(this.#timer);
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { folder, max, busy, onOver } = this.#ports;
    const startedAt = performance.now();
    const size = await sizeOf(folder, { bytes: max.bytes * 2, entries: max.entries * 2 }, this.#closed.signal);
    const tookMs = performance.now() - startedAt;
    if (this.#closed.signal.aborted) return;
    if (size.bytes > this.#allowed.bytes || size.entries > this.#allowed.entries) {
      onOver(this.#explain());
      // What was written stays, and may be removed, but not added to.
      this.#allowed = size;
    } else {
      this.#allowed = { bytes: Math.max(max.bytes, size.bytes), entries: Math.max(max.entries, size.entries) };
    }
    if (!busy()) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.watch();
    }, Math.max(LOOK_MS, tookMs * LOOK_SHARE));
  }

  #explain(): string {
    const { bytes, entries } = this.#ports.max;
    return `killed: the workspace is over its limit of ${bytes} bytes or ${entries} files; remove files before you write more`;
  }
}
