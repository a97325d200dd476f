/** Where a follower of an inbox stands, as opaque text: it holds on every server of the database, and over restarts. */
import { InvalidInput } from '../kernel/fault.ts';
import { isId, type SessionId } from '../kernel/id.ts';

export interface InboxCursor {
  /** Everything that has changed up to here is known. */
  readonly place: number;
  /** While the list is read for the first time: what comes from there on is still to be read. */
  readonly listed?: { readonly since: number; readonly id: SessionId } | undefined;
}

const NAME = 'inbox';

export function inboxCursorText({ place, listed }: InboxCursor): string {
  const rest = listed === undefined ? '' : ` ${listed.since} ${listed.id}`;
  return Buffer.from(`${NAME} ${place}${rest}`).toString('base64url');
}

/** Throws InvalidInput. */
export function parseInboxCursor(text: string): InboxCursor {
  const [name, place, since, id, ...rest] = Buffer.from(text, 'base64url').toString().split(' ');
  const at = Number(place);
  const isPlace = name === NAME && place !== '' && Number.isSafeInteger(at) && at >= 0 && rest.length === 0;
  if (!isPlace) throw foreign();
  if (since === undefined) return { place: at };
  const from = Number(since);
  if (id === undefined || !isId('session', id) || since === '' || !Number.isSafeInteger(from))
    throw foreign();
  return { place: at, listed: { since: from, id } };
}

export function foreign(): InvalidInput {
  return new InvalidInput(
    'after',
    'this cursor is not one of this inbox; leave it out to be sent all that waits, and put that in the place of what you have.',
  );
}
