/**
 * A worker thread: copies the write-ahead log of one file home whenever it is told to. The connection is of each copy, so that the server's
 * own is the last one that closes.
 */
import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { must } from '../../kernel/assert.ts';

/** What was told to be copied has been: an error says why not. */
export interface Copied {
  readonly error?: string | undefined;
}

const port = must(parentPort, 'It is run as a worker.');
const { url } = workerData as { readonly url: string }; // as copier.ts starts it

port.on('message', () => {
  let copied: Copied = {};
  try {
    copy();
  } catch (error) {
    copied = { error: String(error) };
  }
  port.postMessage(copied);
});

/** PASSIVE waits for nobody, and holds nobody up: what a reader of another program still needs is copied the next time. */
function copy(): void {
  const sqlite = new DatabaseSync(new URL(url));
  try {
    // Of a log that is synced before and a file that is afterwards (SQLITE-2): sqlite.org/pragma.html#pragma_synchronous
    sqlite.exec('PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0; PRAGMA wal_checkpoint(PASSIVE)');
  } finally {
    sqlite.close();
  }
}
