/**
 * Group commit: work that arrives while the event loop goes round shares one transaction, hence one flush to the disk.
 * One at a time gives some thousand commits a second; a few hundred in a commit give more than a hundred thousand.
 *
 * COMMIT-1 Nobody hears of the outcome before the commit has succeeded; if it fails, everyone in it hears of the failure.
 * COMMIT-2 A refusal inside one work is that work's own: it must not have written anything, and the others go on.
 * COMMIT-3 Work runs in the order of its arrival.
 * COMMIT-4 While another program holds the lock of the file, work waits for up to LOCK_WAIT_MS, and the event loop goes on.
 * COMMIT-5 While a slow disk is waited for, nothing more is committed and readers wait (`durable`): what they see between two commits is on
 *    the disk. The event loop goes on. So it does while the end of the log is copied home (checkpointer.ts), and there readers go on too.
 */
import { type Database, LOCK_RETRY_MS, LOCK_WAIT_MS } from './database.ts';
import { type Scheduler, systemScheduler } from '../../kernel/scheduler.ts';
import { Outage } from '../../kernel/outage.ts';
import { isBusy } from './translate-error.ts';

/** Rows in one commit: past this a larger group gains nothing and only blocks the event loop longer. */
const COMMIT_ROWS_MAX = 1_000;
/** Works that wait while another program holds the lock: more are told at once, since each holds what it wants to write. */
const HELD_UP_MAX = 2_000;

export interface Work {
  /** Runs inside the transaction; answers how many rows it wrote. Throws only when the whole commit must fail. */
  run(): number;
  /** After the commit. */
  settle(): void;
  /** Instead, when the commit failed. */
  fail(error: unknown): void;
}

export interface CommitHooks {
  /** Last thing in the transaction: writes what several works have in common. */
  beforeCommit(): void;
  /** After everyone has been settled. */
  committed(): void;
  /** Before everyone is told: forgets what was only in memory. */
  rolledBack(): void;
}

export class GroupCommit {
  readonly #database: Database;
  readonly #hooks: CommitHooks;
  readonly #scheduler: Scheduler;
  #waiting: Work[] = [];
  #cancelScheduled: (() => void) | undefined;
  /** COMMIT-4: set while the lock is held by another program. */
  #heldUp: { readonly until: number; readonly timer: NodeJS.Timeout } | undefined;
  /** COMMIT-5: those of the commit that the disk is waited for, and who waits for it. */
  #flushing: { readonly group: readonly Work[]; readonly over: PromiseWithResolvers<void> } | undefined;
  /** The end of the log is copied home (WAL-1). */
  #isPaused = false;
  #closed = false;

  constructor(database: Database, hooks: CommitHooks, scheduler: Scheduler = systemScheduler) {
    this.#database = database;
    this.#hooks = hooks;
    this.#scheduler = scheduler;
  }

  add(work: Work): void {
    if (this.#closed) {
      work.fail(new Error('The journal is closed.'));
      return;
    }
    if (this.#heldUp !== undefined && this.#waiting.length >= HELD_UP_MAX) {
      work.fail(
        new Outage(
          'SQLITE_BUSY',
          'Another program holds the data file, and much waits for it. Try again later.',
        ),
      );
      return;
    }
    this.#waiting.push(work);
    this.#schedule();
  }

  /** Undefined when all that is committed is on the disk; else resolves when it is, before anything else is committed. */
  durable(): Promise<void> | undefined {
    return this.#flushing?.over.promise;
  }

  /** Commits what waits, then takes no more; what another program's lock keeps out is told so. */
  close(): void {
    this.#closed = true;
    if (this.#flushing !== undefined) this.#settleNow(this.#flushing.group);
    while (this.#waiting.length > 0 && this.#heldUp === undefined) this.#commit();
    if (this.#heldUp !== undefined)
      this.#failAll(
        new Outage('SQLITE_BUSY', 'The server stopped while another program held the data file.'),
      );
    this.#cancelScheduled?.();
    this.#cancelScheduled = undefined;
  }

  #schedule(): void {
    if (this.#heldUp !== undefined) return; // its timer looks again
    if (this.#flushing !== undefined || this.#isPaused) return; // COMMIT-5
    if (this.#database.pause !== undefined) return void this.#afterPause(this.#database.pause); // owned: it never rejects
    this.#cancelScheduled ??= this.#scheduler.immediate(() => {
      this.#cancelScheduled = undefined;
      if (this.#waiting.length === 0 || this.#flushing !== undefined) return; // COMMIT-5
      if (this.#database.pause === undefined) this.#commit();
      else this.#schedule();
    });
  }

  async #afterPause(pause: Promise<void>): Promise<void> {
    this.#isPaused = true;
    await pause;
    this.#isPaused = false;
    if (this.#waiting.length > 0) this.#schedule();
  }

  #commit(): void {
    const waiting = this.#waiting;
    let taken = 0;
    let rows = 0;
    try {
      this.#database.transaction(() => {
        while (taken < waiting.length && rows < COMMIT_ROWS_MAX) {
          const work = waiting[taken] as Work; // taken < length
          taken += 1; // COMMIT-3
          rows += work.run();
        }
        this.#hooks.beforeCommit();
      });
    } catch (error) {
      if (taken === 0) return isBusy(error) ? this.#holdUp(error) : this.#failAll(error);
      this.#letGo(); // the lock was had: what failed is something else, and the next commit is tried at once
      const group = this.#take(taken);
      this.#hooks.rolledBack();
      for (const work of group) work.fail(error); // COMMIT-1
      return;
    }
    this.#letGo();
    const group = this.#take(taken);
    if (this.#closed || !this.#database.isSlow) this.#settleNow(group);
    else void this.#settleFlushed(group); // owned: it never rejects
  }

  /** COMMIT-5 */
  async #settleFlushed(group: readonly Work[]): Promise<void> {
    const flushing = { group, over: Promise.withResolvers<void>() };
    this.#flushing = flushing;
    try {
      await this.#database.flush();
    } catch (error) {
      if (this.#flushing === flushing) this.#failFlushed(group, error);
      return;
    }
    if (this.#flushing === flushing) this.#settle(group); // else it was closed meanwhile
  }

  #settleNow(group: readonly Work[]): void {
    try {
      this.#database.flushNow();
    } catch (error) {
      this.#failFlushed(group, error);
      return;
    }
    this.#settle(group);
  }

  #settle(group: readonly Work[]): void {
    for (const work of group) work.settle(); // COMMIT-1
    this.#hooks.committed();
    this.#goOn();
  }

  /** It is committed, and nobody knows whether it stays: until the next start nothing more is (FLUSH-2). */
  #failFlushed(group: readonly Work[], error: unknown): void {
    this.#hooks.rolledBack();
    for (const work of group) work.fail(error); // COMMIT-1
    this.#goOn();
  }

  #goOn(): void {
    this.#flushing?.over.resolve();
    this.#flushing = undefined;
    if (this.#waiting.length > 0) this.#schedule();
  }

  /** COMMIT-4 */
  #holdUp(error: unknown): void {
    const until = this.#heldUp?.until ?? performance.now() + LOCK_WAIT_MS;
    if (performance.now() >= until) return this.#failAll(error);
    const timer = setTimeout(() => this.#commit(), LOCK_RETRY_MS);
    this.#heldUp = { until, timer };
  }

  #letGo(): void {
    clearTimeout(this.#heldUp?.timer);
    this.#heldUp = undefined;
  }

  #failAll(error: unknown): void {
    this.#letGo();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const work of waiting) work.fail(error); // COMMIT-1
  }

  #take(count: number): readonly Work[] {
    const taken = count === this.#waiting.length ? this.#waiting : this.#waiting.slice(0, count);
    this.#waiting = count === this.#waiting.length ? [] : this.#waiting.slice(count);
    if (this.#waiting.length > 0) this.#schedule();
    return taken;
  }
}
