/** What the credential use cases refuse, each with nothing changed. */
import { Fault } from '../kernel/fault.ts';

export class CredentialNotFound extends Fault {
  readonly code = 'CREDENTIAL_NOT_FOUND';

  constructor(id: string) {
    super(`There is no credential ${id} here.`);
  }
}
