/**
 * Watches how much of the disk a session takes while anything of it runs: its workspace, which is all on the disk that its commands can
 * write to. Nothing in the kernel bounds a folder as a whole, so this measures and ends what writes: the bound can be passed by what is
 * written between two looks, no more. The results of calls lie elsewhere, and their number and size bound them (CALLS_KEPT_MAX).
 *
 * A workspace that is over its bound already may shrink: only growth is refused then, so it can be cleaned up. One that
 * cannot be measured counts as over at every look: what cleans it up gets as far as it gets between two.
 *
 * QUOTA-1 The disk is never filled: while it has less room than its floor nothing of a session may grow, and below half of it everything
 *    that could write ends at once. Room is asked for ten times a second, however long measuring takes; when more of it goes than the
 *    session has left, the session is measured at once.
 */
import { type DiskRoom, diskRoomOf, isAlmostNone, isLow } from './disk-room.ts';
import type { Size } from './disk-size.ts';
import { type Measured, sizeOf } from './workspace-size.ts';

/** Between two looks, at least; a big workspace takes longer to measure and is looked at less often. */
const LOOK_MS = 100;
/** The same while only daemons run: a server that waits should cost nothing. */
const LOOK_DAEMONS_MS = 2_000;
/** At most this part of the time is spent measuring: one in so many. */
const LOOK_SHARE = 5;

/** Between two questions for the room on the disk, which is one system call. */
const GLANCE_MS = 100;
/** The same while only daemons run. */
const GLANCE_DAEMONS_MS = 500;
/** A look may come early after so long: the next one is then far away, since measuring takes long. */
const EARLY_LOOK_MS = 1_000;
const DISK_IS_FULL =
  'the disk of this machine is almost full: what could write has been ended; remove files that are not needed, and write little until there is room';

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
  /** Of the disk that the folders are on; diskRoomOf unless a test says otherwise. */
  room?(): Promise<DiskRoom>;
}

export class Quota {
  readonly #ports: QuotaPorts;
  readonly #closed = new AbortController();
  #allowed: Size;
  #last: Measured = { bytes: 0, entries: 0 };
  /** At the look before, in bytes; undefined when there was none that growth could be told from. */
  #before: number | undefined;
  #freeAtLook = 0;
  #lookedAt = 0;
  #tookMs = 0;
  #busy: 'command' | 'daemon' | 'none' = 'none';
  #timer: NodeJS.Timeout | undefined;
  #glanceTimer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #glancing: Promise<void> | undefined;

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
    this.#glance();
  }

  /** Undefined when there is room; else an explanation. */
  async refusal(): Promise<string | undefined> {
    if (isLow(await this.#room())) return DISK_IS_FULL;
    if (!this.#isOver(this.#last)) return undefined;
    this.#last = await this.#measure(); // something may have been removed since
    return this.#isOver(this.#last) ? this.#explain(this.#last) : undefined;
  }

  async close(): Promise<void> {
    this.#closed.abort();
    clearTimeout(this.#timer);
    clearTimeout(this.#glanceTimer);
    await Promise.all([this.#looking, this.#glancing]);
  }

  async #look(): Promise<void> {
    const { max, writers } = this.#ports;
    const startedAt = performance.now();
    const room = await this.#room();
    const size = await this.#measure();
    this.#tookMs = performance.now() - startedAt;
    if (this.#closed.signal.aborted) return;
    const grew = this.#before !== undefined && size.bytes > this.#before;
    this.#last = size;
    this.#before = size.bytes;
    this.#freeAtLook = room.freeBytes;
    this.#lookedAt = performance.now();
    if (isBeyond(size, this.#allowed)) {
      this.#end(this.#explain(size));
      this.#allowed = UNKNOWN; // what was written until it died is not the next one's doing
    } else {
      this.#allowed = {
        bytes: Math.max(max.bytes, size.bytes),
        entries: Math.max(max.entries, size.entries),
      };
      if (grew && isLow(room)) this.#end(DISK_IS_FULL); // QUOTA-1
    }
    this.#busy = writers();
    if (this.#busy === 'none') return;
    const leastMs = this.#busy === 'command' ? LOOK_MS : LOOK_DAEMONS_MS;
    this.#timer = setTimeout(() => this.watch(), Math.max(leastMs, this.#tookMs * LOOK_SHARE));
    this.#timer.unref();
  }

  #end(explanation: string): void {
    this.#ports.onOver(explanation);
    this.#before = undefined; // until it died it went on growing: that is not the next one's doing either
  }

  /** QUOTA-1: asks for the room on the disk between two looks, and looks at once when they are too far apart. */
  #glance(): void {
    if (this.#glancing !== undefined || this.#closed.signal.aborted) return;
    clearTimeout(this.#glanceTimer);
    this.#glancing = this.#glanceOnce().finally(() => {
      this.#glancing = undefined;
      if (this.#looking === undefined && this.#busy === 'none') return;
      const afterMs = this.#busy === 'daemon' ? GLANCE_DAEMONS_MS : GLANCE_MS;
      this.#glanceTimer = setTimeout(() => this.#glance(), afterMs);
      this.#glanceTimer.unref();
    });
  }

  async #glanceOnce(): Promise<void> {
    const room = await this.#room();
    if (this.#closed.signal.aborted) return;
    if (isAlmostNone(room)) return this.#end(DISK_IS_FULL);
    const taken = this.#freeAtLook - room.freeBytes;
    const isUrgent = isLow(room) || taken > this.#ports.max.bytes - this.#last.bytes;
    const isRested = performance.now() - this.#lookedAt > Math.max(EARLY_LOOK_MS, this.#tookMs); // half of the time at most
    if (isUrgent && isRested && this.#lookedAt > 0) this.watch();
  }

  /** A disk that does not say has room: nothing is ended on a guess. */
  async #room(): Promise<DiskRoom> {
    const { folders, room = () => diskRoomOf(folders[0] ?? '/') } = this.#ports;
    return room().catch(() => ({ freeBytes: Infinity, floorBytes: 0 }));
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
