/**
 * Writes what was committed to the disk, beside the event loop: SQLite does it in the commit, on this thread, and a disk that a command
 * fills makes everybody wait for it (some 200 ms and more; 503 ms were seen).
 *
 * FLUSH-1 `flush` resolves when the disk has all that was written before it was called: the write of the disk that it waits for begins
 *    after the call. Those who wait share one.
 * FLUSH-2 What the disk did not take once nobody knows the state of (the kernel forgets that it failed: wiki.postgresql.org/wiki/Fsync_Errors):
 *    from then on every flush fails, until the server is started again and has read what is there.
 */
import { closeSync, fdatasync, fdatasyncSync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import { Outage } from '../../kernel/outage.ts';

const toDisk = promisify(fdatasync);

export class Flusher {
  readonly #path: string;
  readonly #write: (file: number) => Promise<void>;
  #file: number | undefined;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #failure: Outage | undefined;

  /** `path`: of the write-ahead log, which is there after the first commit and stays while the database is open. */
  constructor(path: string, write: (file: number) => Promise<void> = toDisk) {
    this.#path = path;
    this.#write = write;
  }

  /** Throws Outage. */
  flush(): Promise<void> {
    this.#next ??= this.#after(this.#running);
    return this.#next;
  }

  /** Throws what the disk did once (FLUSH-2): nothing more is to be written. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Now, on this thread: at the end. */
  flushNow(): void {
    try {
      fdatasyncSync(this.#opened());
    } catch (error) {
      throw this.#failed(error);
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  async #after(running: Promise<void> | undefined): Promise<void> {
    await running?.catch(() => undefined);
    this.#running = this.#next;
    this.#next = undefined; // FLUSH-1: who asks from here on waits for the next one
    this.check();
    try {
      await this.#write(this.#opened());
    } catch (error) {
      throw this.#failed(error);
    }
  }

  #opened(): number {
    this.#file ??= openSync(this.#path, 'r'); // fdatasync(2) asks for no right to write
    return this.#file;
  }

  #failed(cause: unknown): Outage {
    this.#failure ??= new Outage(
      'DISK_FAILED',
      'The disk did not take what was written. Check the disk and the log of the kernel, then start the server again.',
      cause,
    );
    return this.#failure;
  }
}
