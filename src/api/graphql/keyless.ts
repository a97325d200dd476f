/**
 * Requests that are refused by their head alone: thousands of them at once must not keep the others waiting, and nothing of a body is read for
 * them.
 *
 * KEYLESS-1 A request that brings no key gets 401 before anything else of it is looked at, and one whose key nobody has, or whose address holds one
 *    (key-in-url.ts), is answered in the same way.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { bearerOf } from '../../access/bearer.ts';
import { Unauthenticated } from '../../kernel/fault.ts';
import { type GraphqlOptions, isWelcome } from './options.ts';

/** As a browser is told for an origin that is welcome. */
export const METHODS = ['GET', 'POST', 'OPTIONS'];

/** The same for all: a Fault of their own, with its stack, would be a third of what it costs to refuse them. */
const REFUSAL = refusalOf(new Unauthenticated());
const CHALLENGE = { 'www-authenticate': 'Bearer' };

/** Whether it was one, which has been answered. A preflight carries no key. */
export function refuseKeyless(req: IncomingMessage, res: ServerResponse, options: GraphqlOptions): boolean {
  if (req.method === 'OPTIONS' || bearerOf(req.headers.authorization) !== undefined) return false;
  answerByHead(req, res, options, { status: 401, body: REFUSAL, headers: CHALLENGE }); // KEYLESS-1
  return true;
}

interface HeadAnswer {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** Whatever of its body has not come is not waited for. */
export function answerByHead(
  req: IncomingMessage,
  res: ServerResponse,
  options: GraphqlOptions,
  { status, body, headers }: HeadAnswer,
): void {
  const { origin } = req.headers;
  if (!isWelcome(origin, options)) res.setHeader('vary', 'Origin');
  else if (origin !== undefined) {
    res.setHeader('access-control-allow-origin', origin);
    res.setHeader('access-control-allow-methods', METHODS.join(', '));
    res.setHeader('vary', 'Origin');
  }
  res.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers });
  res.end(body);
}

/** As refuseKeyless answers, of a key or token that nobody has. */
export function refuseUnknown(
  req: IncomingMessage,
  res: ServerResponse,
  options: GraphqlOptions,
  fault: Unauthenticated,
): void {
  answerByHead(req, res, options, { status: 401, body: refusalOf(fault), headers: CHALLENGE });
}

function refusalOf({ message, code }: Unauthenticated): string {
  return JSON.stringify({ errors: [{ message, extensions: { code } }] });
}
