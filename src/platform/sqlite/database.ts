/**
 * One open data file, or a database in memory. Everything on it runs synchronously on this thread, so a transaction is never
 * interleaved with anything else; only the disk is waited for beside it (flusher.ts, checkpointer.ts).
 *
 * SQLITE-1 One server per file: a lock on `<path>.lock` is held as long as the database is open. The kernel drops it when the
 *    process ends, however it ends, so a crashed server leaves nothing to clean up.
 * SQLITE-2 A transaction that somebody has heard of survives loss of power (write-ahead log, flushed before anybody hears of it).
 *    SQLite itself flushes it before pages are copied home (synchronous = NORMAL), so a loss of power takes its last transactions at most.
 * SQLITE-4 Nobody waits for the lock of another program on this thread: a writer that does not get it tries again a little later.
 * SQLITE-5 What is deleted is overwritten with zeros, in its pages and in those that become free (sqlite.org/pragma.html#pragma_secure_delete).
 *    Where SQLite has moved a row to another page, a copy may stay in the unused part of the old one until that is used again.
 * SQLITE-3 A file of a newer version is refused untouched; an older one is brought forward before anyone reads it.
 */
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import { systemClock } from '../../kernel/clock.ts';
import { BODY_BYTES_MAX } from '../../kernel/limit.ts';
import { Outage } from '../../kernel/outage.ts';
import { Checkpointer, type CheckpointPorts } from './checkpointer.ts';
import { checkpointsOf, copyInCommits, tellsLength, versionOf } from './checkpoints.ts';
import { DatabaseInUse, DatabaseUnusable } from './faults.ts';
import { Flusher } from './flusher.ts';
import { MIGRATIONS } from './migrations.ts';
import { isBusy, translated, translateError, translateOpenError } from './translate-error.ts';

export const IN_MEMORY = ':memory:';
/** "HOLD": marks the file as ours, so that a file of another program is never taken for an empty one. */
const APPLICATION_ID = 0x484f4c44;
/** Someone looking into the file with another tool may hold it this long while it is opened. */
const OPEN_WAIT_MS = 5_000;
/** A writer waits this long for the lock of another program (a backup, a shell); callers are told after it. */
export const LOCK_WAIT_MS = 30_000;
/** Between two tries for that lock: the event loop goes on meanwhile. */
export const LOCK_RETRY_MS = 20;
/** Less room on the disk than one body at its limit and what goes with it: the server is not ready to take work. */
const FREE_BYTES_MIN = 2 * BODY_BYTES_MAX;
/** Pages of the log's index that many sessions write to at once: 64 MiB, of which only what is used is taken. */
const CACHE_KIB = 65_536;
/** Prompts and answers are in it: nobody but the server's user reads it. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** What a test does in place of the disk. */
export interface DatabasePorts {
  readonly flusher?: Flusher | undefined;
  /** Given the ports that there would be. */
  readonly checkpointer?: ((ports: CheckpointPorts) => Checkpointer) | undefined;
  /** Of the SQLite library: what it says itself. */
  readonly version?: string | undefined;
}

export type Row = readonly SQLOutputValue[];

export class Database {
  readonly path: string;
  readonly #sqlite: DatabaseSync;
  readonly #unlock: () => void;
  /** Undefined in memory. */
  readonly #flusher: Flusher | undefined;
  /** Undefined in memory. */
  readonly #checkpointer: Checkpointer | undefined;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  /** One at a time, however many ask: anybody may. */
  #probe: Promise<void> | undefined;

  private constructor(path: string, sqlite: DatabaseSync, unlock: () => void, ports: DatabasePorts) {
    this.path = path;
    this.#sqlite = sqlite;
    this.#unlock = unlock;
    if (path !== IN_MEMORY) {
      this.#flusher = ports.flusher ?? new Flusher(`${path}-wal`);
      if (tellsLength(ports.version ?? versionOf(sqlite))) {
        const checkpoints = checkpointsOf(path, sqlite);
        this.#checkpointer = ports.checkpointer?.(checkpoints) ?? new Checkpointer(checkpoints);
      } else copyInCommits(sqlite); // WAL-3
    }
    this.#begin = sqlite.prepare('BEGIN IMMEDIATE');
    this.#commit = sqlite.prepare('COMMIT');
  }

  /** Throws DatabaseInUse or DatabaseUnusable. */
  static open(path: string, ports: DatabasePorts = {}): Database {
    const unlock = path === IN_MEMORY ? () => undefined : lock(path); // SQLITE-1
    let sqlite: DatabaseSync | undefined;
    try {
      sqlite = new DatabaseSync(path, { timeout: OPEN_WAIT_MS, enableForeignKeyConstraints: false });
      refuseForeign(path, sqlite);
      sqlite.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -${CACHE_KIB};
        PRAGMA wal_autocheckpoint = 0; PRAGMA temp_store = MEMORY; PRAGMA secure_delete = ON`); // SQLITE-2, SQLITE-5, WAL-1
      migrate(sqlite);
      sqlite.exec('PRAGMA busy_timeout = 0'); // SQLITE-4
      return new Database(path, sqlite, unlock, ports);
    } catch (error) {
      sqlite?.close();
      unlock();
      throw translateOpenError(path, error);
    }
  }

  /** A statement whose rows are arrays in the order of its columns: twice as fast to read as objects. */
  prepare(sql: string): StatementSync {
    return translated(() => {
      const statement = this.#sqlite.prepare(sql);
      statement.setReturnArrays(true);
      return statement;
    });
  }

  /** Whether the disk is to be waited for beside the event loop: by `flush`, and not by `flushNow`. */
  get isSlow(): boolean {
    return this.#flusher?.isSlow === true;
  }

  /** While nothing should be committed, since the end of the log is copied home (WAL-1); undefined when it may be. */
  get pause(): Promise<void> | undefined {
    return this.#checkpointer?.pause;
  }

  /** Resolves when all that was committed until now survives loss of power (SQLITE-2). Throws Outage. */
  flush(): Promise<void> {
    return this.#flusher?.flush() ?? Promise.resolve();
  }

  /** The same, on this thread. */
  flushNow(): void {
    this.#flusher?.flushNow();
  }

  /** All of `work` or nothing of it, on the disk, once the lock is free; throws Outage when that takes longer than LOCK_WAIT_MS (SQLITE-4). */
  async write<T>(work: () => T): Promise<T> {
    const until = performance.now() + LOCK_WAIT_MS;
    for (;;) {
      if (this.pause !== undefined) await this.pause;
      try {
        const result = this.transaction(work);
        if (this.isSlow) await this.flush();
        else this.flushNow();
        return result;
      } catch (error) {
        if (!isBusy(error) || performance.now() >= until) throw error;
        await systemClock.sleep(LOCK_RETRY_MS);
      }
    }
  }

  /** Throws Outage when nothing can be written: the disk is full, or another program holds the lock. */
  ready(): Promise<void> {
    this.#probe ??= this.#probed().finally(() => {
      this.#probe = undefined;
    });
    return this.#probe;
  }

  async #probed(): Promise<void> {
    if (this.path !== IN_MEMORY) {
      const { bavail, bsize } = await statfs(dirname(this.path));
      if (bavail * bsize < FREE_BYTES_MIN)
        throw new Outage(
          'DISK_FULL',
          'The disk of the data folder is full. Make room; the server goes on by itself.',
        );
    }
    await this.write(() => undefined);
  }

  /** All of `work` or nothing of it, now. What it throws is thrown on, translated; with isBusy, `work` has not run. */
  transaction<T>(work: () => T): T {
    this.#flusher?.check();
    this.#checkpointer?.check();
    try {
      this.#begin.run();
      const result = work();
      this.#commit.run();
      this.#checkpointer?.committed();
      return result;
    } catch (error) {
      if (this.#sqlite.isTransaction) this.#sqlite.exec('ROLLBACK');
      throw translateError(error);
    }
  }

  /**
   * Makes the write-ahead log empty, once it was copied home (WAL-1): nothing that was overwritten is left in it. False when it is not, since
   * another program reads.
   */
  async truncateLog(): Promise<boolean> {
    this.#flusher?.check();
    let isEmpty = false;
    const truncate = (): void => {
      const [isKept] = rowOf(this.prepare('PRAGMA wal_checkpoint(TRUNCATE)')) ?? [];
      isEmpty = isKept === 0;
    };
    if (this.#checkpointer === undefined) truncate();
    else await this.#checkpointer.copied(truncate);
    return isEmpty;
  }

  close(): void {
    try {
      this.#sqlite.close();
    } finally {
      this.#flusher?.close();
      this.#checkpointer?.close();
      this.#unlock();
    }
  }
}

/** The one row of a statement, as an array. */
export function rowOf(
  statement: StatementSync,
  ...values: readonly (string | number | null)[]
): Row | undefined {
  // setReturnArrays was called on it; the declared type knows only objects.
  return statement.get(...values) as unknown as Row | undefined;
}

/** All rows of a statement, as arrays. */
export function rowsOf(
  statement: StatementSync,
  ...values: readonly (string | number | null)[]
): readonly Row[] {
  // setReturnArrays was called on it; the declared type knows only objects.
  return statement.all(...values) as unknown as readonly Row[];
}

function lock(path: string): () => void {
  const lockPath = `${path}.lock`;
  let held: DatabaseSync | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: FOLDER_MODE });
    closeSync(openSync(path, 'a', FILE_MODE));
    held = new DatabaseSync(lockPath, { timeout: 0 });
    held.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    held?.close();
    throw isBusy(error) ? new DatabaseInUse(path, error) : translateOpenError(path, error);
  }
  return () => held.close();
}

/** SQLITE-3: before anything is written, also not the journal mode. */
function refuseForeign(path: string, sqlite: DatabaseSync): void {
  const version = pragma(sqlite, 'user_version');
  const isOurs = pragma(sqlite, 'application_id') === APPLICATION_ID;
  const isEmpty = sqlite.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
  if (!isOurs && !isEmpty) {
    throw new DatabaseUnusable(
      path,
      `${path} belongs to another program. Point DATABASE_URL at another file.`,
    );
  }
  if (version > MIGRATIONS.length) {
    throw new DatabaseUnusable(
      path,
      `${path} was written by a newer Holdfast (format ${version}; this one knows ${MIGRATIONS.length}). ` +
        'Start the newer version, or point DATABASE_URL at another file.',
    );
  }
}

function migrate(sqlite: DatabaseSync): void {
  for (let version = pragma(sqlite, 'user_version'); version < MIGRATIONS.length; version += 1) {
    sqlite.exec(`BEGIN IMMEDIATE; ${MIGRATIONS[version]};
      PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${version + 1}; COMMIT`);
  }
}

function pragma(sqlite: DatabaseSync, name: string): number {
  return Number(sqlite.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0);
}
