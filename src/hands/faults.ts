/** What a caller of the hands must expect. */
import { Fault } from '../kernel/fault.ts';

/** The hands ended before the result came. Call the same id again on new hands: it is not run twice (wire.ts HANDS-1). */
export class HandsLost extends Fault {
  readonly code = 'HANDS_LOST';

  constructor(how: string) {
    super(`The hands ended before the result came: ${how}.`);
  }
}

/** A file or folder cannot be used in the way that was asked; the message is for the model and says what to do. */
export class FileRefused extends Fault {
  readonly code = 'FILE_REFUSED';
}
