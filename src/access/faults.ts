/** What access refuses, each with nothing changed. */
import { Fault } from '../kernel/fault.ts';

export class ApiKeyNotFound extends Fault {
  readonly code = 'API_KEY_NOT_FOUND';

  constructor(id: string) {
    super(`There is no API key ${id}. Take the id of one from the list of keys.`);
  }
}

/** A revoked key gets no new value: what was revoked stays so. */
export class ApiKeyRevoked extends Fault {
  readonly code = 'API_KEY_REVOKED';

  constructor(id: string) {
    super(`The API key ${id} was revoked, which is for good. Create another one.`);
  }
}

/** With it the organisation would lose the way to its own keys. */
export class LastKey extends Fault {
  readonly code = 'LAST_KEY';

  constructor() {
    super(
      'This is the last API key of the organisation with the scope keys:write that is good for as long: without it nobody could make another one. Create one first, or let an operator revoke it.',
    );
  }
}

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

/** A client token has written as much as it may for now; nothing was done. */
export class RateLimited extends Fault {
  readonly code = 'RATE_LIMITED';
  declare readonly retryAfterMs: number;

  constructor(what: string, perMinute: number, retryAfterMs: number) {
    super(
      `This client token may send ${perMinute} ${what}s in a minute. Try again in ${Math.ceil(retryAfterMs / 1_000)} s.`,
      { retryAfterMs },
    );
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
