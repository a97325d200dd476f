/**
 * Why a database cannot be opened: a sentence for whoever starts the server. The SQLite adapter has one of the same name and code:
 * that one names a file, this one an address. Addresses never hold a user's name or password.
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
