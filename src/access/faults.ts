/** What access refuses, each with nothing changed. */
import { Fault } from '../kernel/fault.ts';

export class OrganisationNotFound extends Fault {
  readonly code = 'ORGANISATION_NOT_FOUND';

  constructor() {
    super('There is no such organisation here. Create one, or give the id of one that exists.');
  }
}

export class OrganisationNameTaken extends Fault {
  readonly code = 'ORGANISATION_NAME_TAKEN';
  readonly organisationId: string;

  constructor(organisationId: string) {
    super(`An organisation of this name exists (${organisationId}). Use that one, or choose another name.`);
    this.organisationId = organisationId;
  }
}

/** A server that knows of no organisations is on the same database: it would show everything to everybody. */
export class OlderServerRuns extends Fault {
  readonly code = 'OLDER_SERVER_RUNS';

  constructor() {
    super(
      'A server of an older version is on this database, or was within the last ten minutes, and would show each organisation the things of the others. Stop all servers of older versions, wait until they are forgotten, then try again.',
    );
  }
}

/** What it names is known to whoever keeps addresses: it should be replaced. */
export class KeyInUrl extends Fault {
  readonly code = 'KEY_IN_URL';

  constructor() {
    super(
      'A key or token does not belong in a URL, which proxies and browsers keep: send the header "Authorization: Bearer <API key or client token>", or over a WebSocket connectionParams with `authorization`. Replace the one that was in the URL.',
    );
  }
}
