/** The server cannot start as it was asked to; the message says what to do. */
import { Fault } from '../kernel/fault.ts';

export class StartRefused extends Fault {
  readonly code = 'START_REFUSED';
}
