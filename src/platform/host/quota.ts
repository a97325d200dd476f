/**
 * Watches how much of the disk a session takes while anything of it runs: its workspace and its results folder, together,
 * since commands can write to both. Nothing in the kernel bounds a folder as a whole, so this measures and ends what
 * writes: the bound can be passed by what is written between two looks, no more.
 *
 * A workspace that is over its bound already may shrink: only growth is refused then, so it can be cleaned up. One that
 * cannot be measured counts as over at every look: what cleans it up gets as far as it gets between two.
 */
import type { Size } from './disk-size.ts';
import { type Measured, sizeOf } from './workspace-size.ts';

/** Between two looks, at least; a big workspace takes longer to measure and is looked at less often. */
const LOOK_MS = 100;
/** The same while only daemons run: a server that waits should cost nothing. */
const LOOK_DAEMONS_MS = 2_000;
/** At most this part of the time is spent measuring: one in so many. */
const LOOK_SHARE = 5;

/** The next look finds out. */
const UNKNOWN: Size = { bytes: Infinity, entries: Infinity };

export interface QuotaPorts {
  /** All that commands can write to and that is on the disk; the first is the one that the model knows. */
  readonly folders: readonly string[];
  readonly max: Size;
  /** What may be writing: a command, or only daemons that one left behind. */
  writers(): 'command' | 'daemon' | 'none';
  /** Called with an explanation for the model; ends what writes. */
  onOver(explanation: string): void;
}

export class Quota {
  readonly #ports: QuotaPorts;
  readonly #closed = new AbortController();
  #allowed: Size;
  #last: Measured = { bytes: 0, entries: 0 };
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  constructor(ports: QuotaPorts) {
    this.#ports = ports;
    this.#allowed = ports.max;
  }

  /** Something starts to write: look now, and again as long as there are writers. */
  watch(): void {
    if (this.#looking !== undefined || this.#closed.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#looking = this.#look().finally(() => {
      this.#looking = undefined;
    });
  }

  /** Undefined when there is room; else an explanation. */
  async refusal(): Promise<string | undefined> {
    if (!this.#isOver(this.#last)) return undefined;
    this.#last = await this.#measure(); // something may have been removed since
    return this.#isOver(this.#last) ? this.#explain(this.#last) : undefined;
  }

  async close(): Promise<void> {
    this.#closed.abort();
    clearTimeout(this.#timer);
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { max, writers, onOver } = this.#ports;
    const startedAt = performance.now();
    const size = await this.#measure();
    const tookMs = performance.now() - startedAt;
    if (this.#closed.signal.aborted) return;
    this.#last = size;
    if (isBeyond(size, this.#allowed)) {
      onOver(this.#explain(size));
      this.#allowed = UNKNOWN; // what was written until it died is not the next one's doing
    } else {
      this.#allowed = {
        bytes: Math.max(max.bytes, size.bytes),
        entries: Math.max(max.entries, size.entries),
      };
    }
    const busy = writers();
    if (busy === 'none') return;
    const leastMs = busy === 'command' ? LOOK_MS : LOOK_DAEMONS_MS;
    this.#timer = setTimeout(() => this.watch(), Math.max(leastMs, tookMs * LOOK_SHARE));
    this.#timer.unref();
  }

  #measure(): Promise<Measured> {
    const entries = this.#ports.max.entries * 2;
    return sizeOf(this.#ports.folders, { bytes: Infinity, entries }, this.#closed.signal);
  }

  #isOver(size: Measured): boolean {
    return isBeyond(size, this.#ports.max);
  }

  #explain({ unmeasured }: Measured): string {
    if (unmeasured !== undefined)
      return `the workspace cannot be measured and so counts as over its limit: ${unmeasured}; remove what is there, in several calls if one is killed`;
    const { bytes, entries } = this.#ports.max;
    const [, ...others] = this.#ports.folders;
    const counted = [...others.map((folder) => `what is in ${folder}`), 'deleted files that are still open'];
    return `the workspace is over its limit of ${bytes} bytes or ${entries} files (${counted.join(' and ')} count too); remove files before you write more`;
  }
}

function isBeyond(size: Measured, max: Size): boolean {
  return size.unmeasured !== undefined || size.bytes > max.bytes || size.entries > max.entries;
}
