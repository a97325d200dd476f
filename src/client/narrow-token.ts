/**
 * Making a client token do less, without a server: for a frame, a worker or a page that shall not have all that you have. It holds for
 * whoever gets the narrower one; nobody can make the wider one of it again (docs/guide.md, client tokens).
 *
 * Runs in browsers, Node, Deno, Bun and workers: it uses nothing but WebCrypto.
 */

export interface Narrowing {
  /** Those that it keeps, of the ones that it has. */
  readonly scopes?: readonly ('READ' | 'STEER' | 'ANSWER' | 'CANCEL')[] | undefined;
  /** The most detailed events that it sees. */
  readonly level?: 'USER' | 'PROGRESS' | 'INTERNAL' | undefined;
  /** False: it does not see what the model thinks. */
  readonly thinking?: false | undefined;
  /** When it ends, at the latest; it is not renewed beyond that either. */
  readonly expiresAt?: Date | undefined;
}

/** The narrower token. Throws TypeError when `token` is no client token. */
export async function narrowToken(token: string, { expiresAt, ...narrowing }: Narrowing): Promise<string> {
  const at = token.lastIndexOf('.');
  if (!token.startsWith('hct_') || at < 0) throw new TypeError('This is no client token (hct_…).');
  const text = JSON.stringify({ ...narrowing, expiresAt: expiresAt?.getTime() });
  const added = base64url(new TextEncoder().encode(text));
  const signature = await hmac(bytesOf(token.slice(at + 1)), added);
  return `${token.slice(0, at)}.${added}.${base64url(signature)}`;
}

async function hmac(key: Uint8Array<ArrayBuffer>, text: string): Promise<Uint8Array> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const imported = await crypto.subtle.importKey('raw', key, algorithm, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, new TextEncoder().encode(text)));
}

function base64url(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}
