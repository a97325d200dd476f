/**
 * What a MongoDB URI says beside what the driver reads from it, and how it is shown: the user's name and password are shown to
 * nobody.
 */
import type { MongoOptions } from 'mongodb';

/** The driver's `test` would be a trap: data that looks as if it may be dropped. */
const NAME_DEFAULT = 'holdfast';
/** What the driver takes when the URI has no path. */
const DRIVER_DEFAULT = 'test';
/** Shorter pieces of a password occur in any sentence. */
const PIECE_CHARS_MIN = 3;

/** The database that the URI names; `read` is what the driver made of it. */
export function databaseNameOf(uri: string, read: string): string {
  return read !== DRIVER_DEFAULT || new RegExp(`^[^?]*/${DRIVER_DEFAULT}(\\?|$)`).test(uri)
    ? read
    : NAME_DEFAULT;
}

/** Hosts and database, as the driver understood them. */
export function addressOf({ hosts, srvHost }: Pick<MongoOptions, 'hosts' | 'srvHost'>, name: string): string {
  const where = srvHost === undefined ? `mongodb://${hosts.join(',')}` : `mongodb+srv://${srvHost}`;
  return `${where}/${name}`;
}

/** Whether the URI sets this option: its word counts then. */
export function isGiven(uri: string, option: string): boolean {
  const query = uri.slice(uri.indexOf('?') + 1);
  return uri.includes('?') && new RegExp(`(^|&)${option}=`, 'i').test(query);
}

/** `text`, an error about a URI that could not be read; undefined when any piece of a secret in it might be in the text. */
export function withoutSecrets(uri: string, text: string): string | undefined {
  const userInfo = uri.slice(0, uri.lastIndexOf('@') + 1).replace(/^[^:]*:\/\/[^:]*/, ''); // without scheme and user
  const values = [...uri.matchAll(/(?:password|properties)=([^&]*)/gi)].map(([, value]) => value ?? '');
  const pieces = [userInfo, ...values].flatMap((secret) => [
    ...secret.split(/[^\w%-]+/),
    ...decoded(secret).split(/[^\w-]+/),
  ]);
  const shown = pieces.some((piece) => piece.length >= PIECE_CHARS_MIN && text.includes(piece));
  return shown || text.includes(uri) ? undefined : text;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a stray %: one more reason why the URI could not be read
  }
}
