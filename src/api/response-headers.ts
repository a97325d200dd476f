/**
 * What every answer of the HTTP server says to a browser, whatever its path and status: what is sent is what its type says, is no page,
 * stands in no frame, and tells no other site where somebody was. GraphiQL replaces the policy by its own (graphql/console.ts).
 *
 * HEADER-1 Every answer has these headers, errors and refused upgrades too, and what is no HTTP.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const HEADERS = {
  'x-content-type-options': 'nosniff',
  // Nothing is loaded or run; a person who opens the tools of a browser on /healthz may ask this server itself.
  'content-security-policy': "default-src 'none'; connect-src 'self'; frame-ancestors 'none'",
  'x-frame-options': 'DENY', // for what does not know frame-ancestors
  'referrer-policy': 'no-referrer',
} as const;

/** To be called before anything else is done with a request. */
export function setResponseHeaders(res: ServerResponse): void {
  for (const [name, value] of Object.entries(HEADERS)) res.setHeader(name, value);
}

/** A whole answer for a connection that has no ServerResponse of its own: an upgrade that is refused. `status`: code and reason. */
export function rawAnswer(status: string, body = '', more: Readonly<Record<string, string>> = {}): string {
  const length = String(Buffer.byteLength(body));
  const lines = Object.entries({ connection: 'close', 'content-length': length, ...HEADERS, ...more });
  return `HTTP/1.1 ${status}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`;
}

/** What Node answers by itself to what it cannot read (node:http, clientError). */
const BROKEN: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Payload Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** Ends a connection whose request cannot be read; with an answer where none has begun on it. */
export function answerBroken({ code = '' }: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || socket.bytesWritten > 0) socket.destroy();
  else socket.end(rawAnswer(BROKEN[code] ?? '400 Bad Request'), 'latin1', () => socket.destroy());
}
