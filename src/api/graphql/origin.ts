/**
 * Where a request came from, for the audit log: the other end of its connection. What a proxy says of whom it speaks for
 * (X-Forwarded-For) anybody can write, so it is not believed.
 */
import type { IncomingMessage } from 'node:http';
import type { Origin } from '../../audit/entry.ts';

export function originOf(request: IncomingMessage | undefined): Origin {
  return { address: request?.socket.remoteAddress, userAgent: request?.headers['user-agent'] };
}
