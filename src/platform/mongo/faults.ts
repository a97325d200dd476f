/**
 * Why a database cannot be opened, or failed while it was open: each a sentence for whoever runs the server. The SQLite
 * adapter has its own two of the same names and codes: those name a file, these name an address. Addresses never hold a
 * user's name or password.
 */
import { Fault } from '../../kernel/fault.ts';

/** The database at `address` is not fit to hold the journal, or cannot be reached. Nothing was written that is not whole. */
export class DatabaseUnusable extends Fault {
  readonly code = 'DATABASE_UNUSABLE';
  /** Hosts and name; undefined when DATABASE_URL could not be read at all. */
  readonly address: string | undefined;

  constructor(address: string | undefined, sentence: string, cause?: unknown) {
    super(sentence, { cause });
    this.address = address;
  }
}

/**
 * A command failed on an open database. Not a Fault: it is an outage, whose sentence is for the operator's log and not for
 * a stranger. Whether it was written is another question: isUnknownOutcome in translate-error.ts.
 */
export class DatabaseFailed extends Error {
  /** What kind of failure, for logs and counts: NO_ANSWER, NO_PRIMARY, DISK_FULL … */
  readonly reason: string;

  constructor(reason: string, sentence: string, cause: unknown) {
    super(sentence, { cause });
    this.name = 'DatabaseFailed';
    this.reason = reason;
  }
}
