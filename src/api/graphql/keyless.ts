/**
 * A request without any key, refused by its head alone: thousands of them at once must not keep the others waiting, and nothing of a
 * body is read for them. The answer is what any other caller gets who is not known (http-door.ts).
 *
 * KEYLESS-1 A request that brings no key gets 401 before anything else of it is looked at.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { bearerOf } from '../../access/bearer.ts';
import { Unauthenticated } from '../../kernel/fault.ts';
import { type GraphqlOptions, isWelcome } from './options.ts';

/** As a browser is told for an origin that is welcome. */
export const METHODS = ['GET', 'POST', 'OPTIONS'];

/** The same for all: a Fault of their own, with its stack, would be a third of what it costs to refuse them. */
const REFUSAL = refusalOf(new Unauthenticated());

/** Whether it was one, which has been answered. A preflight carries no key. */
export function refuseKeyless(req: IncomingMessage, res: ServerResponse, options: GraphqlOptions): boolean {
  const { authorization, origin } = req.headers;
  if (req.method === 'OPTIONS' || bearerOf(authorization) !== undefined) return false;
  if (!isWelcome(origin, options)) res.setHeader('vary', 'Origin');
  else if (origin !== undefined) {
    res.setHeader('access-control-allow-origin', origin);
    res.setHeader('access-control-allow-methods', METHODS.join(', '));
    res.setHeader('vary', 'Origin');
  }
  res.writeHead(401, { 'content-type': 'application/json; charset=utf-8', 'www-authenticate': 'Bearer' }); // KEYLESS-1
  res.end(REFUSAL);
  return true;
}

function refusalOf({ message, code }: Unauthenticated): string {
  return JSON.stringify({ errors: [{ message, extensions: { code } }] });
}
