/** What the driver throws, in words that say what to do. Everything that this adapter throws has passed here once. */
import { Outage } from '../../kernel/outage.ts';
import { DatabaseUnusable } from './faults.ts';

/** The low byte of a result code is its primary code (sqlite.org/rescode.html). */
const PRIMARY_MASK = 0xff;
const BUSY = 5;
const CANTOPEN = 14;
const NOTADB = 26;

const FAILURES: Readonly<Record<number, readonly [reason: string, sentence: string]>> = {
  5: [
    'SQLITE_BUSY',
    'Another program holds the data file: nothing was written. Close that program, then try again.',
  ],
  6: ['SQLITE_LOCKED', 'A statement met a lock of its own connection; this is a defect.'],
  7: ['SQLITE_NOMEM', 'The database ran out of memory.'],
  8: [
    'SQLITE_READONLY',
    'The data file cannot be written. Check the permissions of the file and its folder.',
  ],
  10: ['SQLITE_IOERR', 'The disk failed to read or write the data file. Check the disk.'],
  11: ['SQLITE_CORRUPT', 'The data file is damaged. Stop the server and restore the file from a backup.'],
  13: [
    'SQLITE_FULL',
    'The disk is full: nothing was written. Make room, then try again; the server goes on by itself.',
  ],
  14: [
    'SQLITE_CANTOPEN',
    'The data file or its write-ahead log cannot be opened. Check that its folder is there.',
  ],
  18: ['SQLITE_TOOBIG', 'A value is larger than the database can hold.'],
  19: ['SQLITE_CONSTRAINT', 'A row broke a rule of the tables; this is a defect.'],
  26: ['SQLITE_NOTADB', 'The data file is not a database any more. Restore it from a backup.'],
};

/** These say that a statement of ours is wrong: not an outage, and trying again would not help. */
const DEFECTS: ReadonlySet<number> = new Set([6, 18, 19]);

/** An error of a statement. Anything that is not the driver's own comes back as it is. */
export function translateError(error: unknown): unknown {
  const code = resultCodeOf(error);
  if (code === undefined) return error;
  const [reason, sentence] = FAILURES[code] ?? [
    `SQLITE_${code}`,
    'The database refused a statement: the log of the server says why. Try again.', // callers read it, so without the driver's own words
  ];
  return DEFECTS.has(code) ? new Error(sentence, { cause: error }) : new Outage(reason, sentence, error);
}

/** An error of opening `path`. */
export function translateOpenError(path: string, error: unknown): unknown {
  const code = resultCodeOf(error);
  if (code === NOTADB) {
    return new DatabaseUnusable(
      path,
      `${path} is not a Holdfast database. Point DATABASE_URL at another file.`,
      error,
    );
  }
  if (code === CANTOPEN || isFileError(error)) {
    const sentence = `${path} cannot be opened or created (${messageOf(error)}). Give a file in a folder that this user may write.`;
    return new DatabaseUnusable(path, sentence, error);
  }
  const failed = translateError(error);
  return failed instanceof Outage ? new DatabaseUnusable(path, `${path}: ${failed.message}`, error) : error;
}

/** Another program holds the lock for writing: the statement did nothing. */
export function isBusy(error: unknown): boolean {
  return resultCodeOf(error instanceof Outage ? error.cause : error) === BUSY;
}

/** Runs `work` and translates what it throws. */
export function translated<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw translateError(error);
  }
}

function resultCodeOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined;
  return typeof error.errcode === 'number' ? error.errcode & PRIMARY_MASK : undefined;
}

function isFileError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
