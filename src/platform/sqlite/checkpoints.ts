/** How one database file does what a checkpointer asks for: how long its log is, copies by a thread, flushes of the data file. */
import type { DatabaseSync } from 'node:sqlite';
import { CHECKPOINT_PAGES, type CheckpointPorts } from './checkpointer.ts';
import { Copier } from './copier.ts';
import { Flusher } from './flusher.ts';

/** SQLite copies the log home itself from here on, inside commits. */
export function copyInCommits(sqlite: DatabaseSync): void {
  sqlite.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
}

/**
 * Whether the library can be asked how long the log is: `wal_checkpoint(NOOP)`, which came with SQLite 3.51. One before it takes the word for no
 * mode that it knows, which is PASSIVE: each commit would copy the log home on the event loop. Node is built with its own, or with the system's.
 */
export function tellsLength(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 3 || (major === 3 && minor >= 51);
}

export function versionOf(sqlite: DatabaseSync): string {
  return String(sqlite.prepare('SELECT sqlite_version() AS version').get()?.['version']);
}

export function checkpointsOf(path: string, sqlite: DatabaseSync): CheckpointPorts {
  const copier = new Copier(path);
  /** Of the data file. Closed when no connection is open: with the first file of a process that is closed its locks go (fcntl(2)). */
  const file = new Flusher(path);
  // NOOP copies nothing and answers [busy, pages in the log, pages of them that are copied] (tellsLength).
  const log = sqlite.prepare('PRAGMA wal_checkpoint(NOOP)');
  return {
    pages() {
      const { log: pages, checkpointed } = log.get() ?? {};
      return Number(pages ?? 0) - Number(checkpointed ?? 0);
    },
    copy: () => copier.copy(),
    flush: () => file.flush(),
    check: () => file.check(),
    giveUp: () => copyInCommits(sqlite),
    close() {
      copier.close();
      file.close();
    },
  };
}
