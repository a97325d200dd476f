/**
 * Copies the write-ahead log home beside the event loop. SQLite does it inside a commit when the log is long enough, which on a slow disk
 * held everybody up for a third of a second; here a thread of its own does, over a connection of its own (checkpoint-thread.ts).
 *
 * A checkpoint that is to let the log begin anew has to reach its end, and appends go on while it runs (sqlite.org/wal.html, "checkpoint
 * starvation"). So there are two: a long one while they go on, and a short one for what they have added, while they wait.
 *
 * WAL-1 Nothing is copied home or waited for on the event loop while the server runs. Between the two copies the data file is
 *    flushed as well (FLUSH-2), so that appends wait for a short copy only.
 * WAL-2 The log is bounded: from WAL_PAGES_MAX on that are not copied, appends wait until they are.
 * WAL-3 When the thread fails, or SQLite is too old to say how long the log is (checkpoints.ts), SQLite does it itself, inside commits. When the
 *    disk does, nothing more is written (FLUSH-2).
 */

/** Pages in the write-ahead log before they are copied home (32 MiB): of a page that is written often only the last is copied. */
export const CHECKPOINT_PAGES = 8_192;
/** Pages in it that are not copied (128 MiB) before appends wait: disk that a server may take, and what a start has to read after a crash. */
export const WAL_PAGES_MAX = 4 * CHECKPOINT_PAGES;

export interface CheckpointPorts {
  /** Pages of the log that are not copied home. */
  pages(): number;
  /** Copies home those that were there when it was called. */
  copy(): Promise<void>;
  /** Resolves when the disk has what was copied. */
  flush(): Promise<void>;
  /** Throws when the disk has failed: nothing more is to be written. */
  check(): void;
  /** From here on SQLite is to do it itself. */
  giveUp(): void;
  close(): void;
}

export class Checkpointer {
  readonly #ports: CheckpointPorts;
  readonly #pages: number;
  /** Pages at which the next one begins: what another program's reader keeps from being copied is not tried again at once. */
  #nextAt: number;
  #running: Promise<void> | undefined;
  #pause: PromiseWithResolvers<void> | undefined;
  #isGivenUp = false;
  #isClosed = false;

  /** `pages` is for tests: CHECKPOINT_PAGES. */
  constructor(ports: CheckpointPorts, pages = CHECKPOINT_PAGES) {
    this.#ports = ports;
    this.#pages = pages;
    this.#nextAt = pages;
  }

  /** While nothing is to be committed; undefined when it may be. */
  get pause(): Promise<void> | undefined {
    return this.#pause?.promise;
  }

  /** Throws when the disk has failed (WAL-3). */
  check(): void {
    this.#ports.check();
  }

  /** To be told of each commit. */
  committed(): void {
    if (this.#isGivenUp || this.#pause !== undefined) return;
    const pages = this.#ports.pages();
    if (this.#running === undefined) {
      if (pages >= this.#nextAt) this.#running = this.#run();
    } else if (pages * CHECKPOINT_PAGES > WAL_PAGES_MAX * this.#pages) this.#pause = Promise.withResolvers(); // WAL-2
  }

  /** Copies home what is there, and then does `work`, which commits nothing, while appends wait. When it cannot be copied, `work` is left out. */
  async copied(work: () => void): Promise<void> {
    while (this.#running !== undefined) await this.#running;
    if (this.#isClosed) return;
    if (this.#isGivenUp) return work();
    this.#running = this.#run(work);
    await this.#running;
  }

  /** What it holds is let go of when a copy that runs is over; that may be after this. */
  close(): void {
    this.#isClosed = true;
    this.#goOn();
    if (this.#running === undefined) this.#ports.close();
    else void this.#running.finally(() => this.#ports.close()); // owned: #run never rejects
  }

  async #run(work: () => void = () => undefined): Promise<void> {
    try {
      await this.#ports.copy();
      await this.#ports.flush(); // WAL-1
      if (this.#isClosed) return;
      this.#pause ??= Promise.withResolvers();
      await this.#ports.copy();
      if (!this.#isClosed) work();
    } catch {
      this.#isGivenUp = true;
      if (!this.#isClosed) this.#ports.giveUp(); // WAL-3
    } finally {
      this.#running = undefined;
      if (!this.#isClosed) this.#nextAt = this.#pages + this.#ports.pages();
      this.#goOn();
    }
  }

  #goOn(): void {
    this.#pause?.resolve();
    this.#pause = undefined;
  }
}
