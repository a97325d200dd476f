/**
 * What a request over HTTP asks, read and parsed under bounds (bodies.ts, json-excess.ts), as a plugin of yoga. yoga keeps a body as the
 * list of the pieces that it came in, so it is given one that has come.
 *
 * TURNS-2 Operations begin in turns, those of one connection after those of others: a hundred that come at once, over however many
 *    connections and sockets, are parsed, checked and begun some in each round of the event loop.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Plugin } from 'graphql-yoga';
import type { Principal } from '../../access/principal.ts';
import { Unauthenticated } from '../../kernel/fault.ts';
import type { RoundRobin } from '../../kernel/round-robin.ts';
import type { Bodies } from './bodies.ts';
import { requestExcess } from './json-excess.ts';
import { refusal } from './masking.ts';
import { nameOf } from './operations.ts';

/** Parameters in a form or an address: query, operationName, variables, extensions, and some of the client's own. */
const PARAMETERS_MAX = 32;

export interface BodyContext {
  principal?: Principal;
  readonly req?: IncomingMessage;
}

export function useBodies(bodies: Bodies, admission: RoundRobin): Plugin<object, BodyContext> {
  return {
    onRequestParse({ requestParser, setRequestParser, serverContext: { req, principal }, fetchAPI }) {
      if (requestParser === undefined) return;
      setRequestParser(async (request) => {
        if (req === undefined || principal === undefined) throw new Unauthenticated();
        const turn = (): Promise<void> => admission.turn(nameOf(principal), lineOf(req.socket)); // TURNS-2
        if (request.method === 'GET') {
          await turn();
          checkParameters(request.url.slice(request.url.indexOf('?') + 1));
          return parsed(() => requestParser(request));
        }
        const { bytes, release } = await bodies.read(req, principal);
        try {
          await turn(); // what it holds is counted until then (BODIES-1)
          const { method, headers, url } = request;
          const body = bytes.toString();
          if (isForm(headers.get('content-type'))) checkParameters(body);
          else if (!isDocument(headers.get('content-type'))) check(body);
          const whole = new fetchAPI.Request(url, { method, headers, body });
          return await parsed(() => requestParser(whole));
        } finally {
          release();
        }
      });
    },
  };
}

/** One connection, among those of one owner. */
export function lineOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** What is no JSON is told so: the sentence of the engine's parser holds a piece of the request (ECHO-1). */
async function parsed<T>(parse: () => T | Promise<T>): Promise<T> {
  try {
    return await parse();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw refusal('BAD_REQUEST', 'variables and extensions: expected JSON.', 400);
  }
}

/** JSON-1 */
function check(text: string): void {
  const excess = requestExcess(text);
  if (excess !== undefined) throw excess;
}

function checkParameters(text: string): void {
  let count = 1;
  for (let at = text.indexOf('&'); at >= 0; at = text.indexOf('&', at + 1)) {
    count += 1;
    if (count > PARAMETERS_MAX)
      throw refusal('BAD_REQUEST', `expected at most ${PARAMETERS_MAX} parameters.`, 400);
  }
  const parameters = new URLSearchParams(text);
  for (const name of ['variables', 'extensions']) check(parameters.get(name) ?? '');
}

function isForm(type: string | null): boolean {
  return type?.startsWith('application/x-www-form-urlencoded') === true;
}

/** Of this type the body is the document itself; `application/graphql+json` is JSON. */
function isDocument(type: string | null): boolean {
  return type !== null && /^application\/graphql\s*(?:[;,]|$)/.test(type);
}
