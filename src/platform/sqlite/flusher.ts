/**
 * Writes what was committed to the disk. A quick disk takes it in less time than the event loop needs to go round, so it is waited for in
 * place. A slow one is waited for beside the loop: where a command fills the disk, a write of it took up to half a second.
 *
 * FLUSH-1 `flush` resolves when the disk has all that was written before it was called: the write of the disk that it waits for begins
 *    after the call. Those who wait share one.
 * FLUSH-2 What the disk did not take once nobody knows the state of (the kernel forgets that it failed: wiki.postgresql.org/wiki/Fsync_Errors):
 *    from then on every flush fails, until the server is started again and has read what is there.
 */
import { closeSync, fdatasync, fdatasyncSync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import { Outage } from '../../kernel/outage.ts';

/** A write of the disk that takes longer is slow: people notice five of them. An SSD takes a fraction of a millisecond, and some ten now and then. */
const SLOW_MS = 50;
/** So long after a slow one the disk is taken to be slow. */
const SLOW_FOR_MS = 1_000;

export interface FlushPorts {
  write(file: number): Promise<void>;
  /** On this thread. */
  writeNow(file: number): void;
  /** Milliseconds of a clock that does not go back. */
  now(): number;
}

const DISK: FlushPorts = {
  write: promisify(fdatasync),
  writeNow: fdatasyncSync,
  now: () => performance.now(),
};

export class Flusher {
  readonly #path: string;
  readonly #ports: FlushPorts;
  #slowUntil = Number.NEGATIVE_INFINITY;
  #file: number | undefined;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #failure: Outage | undefined;

  /** `path`: of the write-ahead log, which is there after the first commit and stays while the database is open. */
  constructor(path: string, ports: FlushPorts = DISK) {
    this.#path = path;
    this.#ports = ports;
  }

  /** Whether it is waited for beside the loop: `flush`, and not `flushNow`. */
  get isSlow(): boolean {
    return this.#ports.now() < this.#slowUntil;
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

  /** Now, on this thread. Throws Outage. */
  flushNow(): void {
    this.check();
    const from = this.#ports.now();
    try {
      this.#ports.writeNow(this.#opened());
    } catch (error) {
      throw this.#failed(error);
    }
    this.#took(this.#ports.now() - from);
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
    const from = this.#ports.now();
    try {
      await this.#ports.write(this.#opened());
    } catch (error) {
      throw this.#failed(error);
    }
    this.#took(this.#ports.now() - from);
  }

  #took(ms: number): void {
    if (ms > SLOW_MS) this.#slowUntil = this.#ports.now() + SLOW_FOR_MS;
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
