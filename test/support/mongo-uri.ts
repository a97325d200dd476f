/** Puts the name of a database into a MongoDB URI, and keeps who may log in where: `authSource` follows the name if it is not said. */

export function databaseUri(uri: string, database: string): string {
  const [, server, before = '', query = ''] =
    /^(mongodb(?:\+srv)?:\/\/[^/?]+)\/?([^?]*)\??(.*)$/.exec(uri) ?? [];
  if (server === undefined) throw new Error('A MongoDB URI starts with mongodb:// or mongodb+srv://.');
  const options = new URLSearchParams(query);
  if (server.includes('@') && !options.has('authSource'))
    options.set('authSource', before === '' ? 'admin' : before);
  return `${server}/${database}${options.size === 0 ? '' : `?${options.toString()}`}`;
}
