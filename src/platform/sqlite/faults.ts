/** Why a data file cannot be opened: each a sentence for whoever starts the server. */
import { Fault } from '../../kernel/fault.ts';

/** Another server holds the data file. Two would each believe that their memory is the truth. */
export class DatabaseInUse extends Fault {
  readonly code = 'DATABASE_IN_USE';
  readonly path: string;

  constructor(path: string, cause?: unknown) {
    super(
      `Another Holdfast server is using ${path}. Stop that one, or give this one a data folder of its own.`,
      { cause },
    );
    this.path = path;
  }
}

/** The file or its folder is not fit to hold the journal. */
export class DatabaseUnusable extends Fault {
  readonly code = 'DATABASE_UNUSABLE';
  readonly path: string;

  constructor(path: string, sentence: string, cause?: unknown) {
    super(sentence, { cause });
    this.path = path;
  }
}
