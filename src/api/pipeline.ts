/**
 * Requests that are sent in a row on one connection. Each costs some kilobytes until the answers before it are read, and a row of
 * thousands fits into one packet, which Node parses at one go.
 *
 * PIPELINE-1 Of one connection at most PIPELINED_MAX requests are under way; with one more the connection ends, and what it has sent
 *    after that is not parsed.
 * PIPELINE-2 Of all connections at most PIPELINED_WAITING_MAX requests wait behind another one; with one more its connection ends.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Requests in a row on one connection: browsers send none before the answer, libraries that do send a few. */
export const PIPELINED_MAX = 32;
/** And of all connections: some fifteen kilobytes each, so some megabytes. Who sends none in a row is not concerned. */
const PIPELINED_WAITING_MAX = 1_024;

/** What makes the parser leave alone whatever follows a request. */
const UPGRADE = 2;

export class Pipeline {
  readonly #waitingMax: number;
  readonly #underWay = new WeakMap<Socket, Set<ServerResponse>>();
  #waiting = 0;

  constructor(waitingMax = PIPELINED_WAITING_MAX) {
    this.#waitingMax = waitingMax;
  }

  /** Requests that wait behind another of their connection. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Whether there is room for the request; when not, its connection has been ended. */
  admits({ socket }: IncomingMessage, response: ServerResponse): boolean {
    if (socket.destroyed) return false; // the parser goes on with what it has
    const responses = this.#responsesOf(socket);
    const waits = responses.size > 0;
    if (responses.size >= PIPELINED_MAX || (waits && this.#waiting >= this.#waitingMax)) {
      socket.destroy(); // PIPELINE-1, PIPELINE-2
      stopParsing(socket);
      return false;
    }
    responses.add(response);
    if (waits) this.#waiting += 1;
    response.once('close', () => {
      if (responses.delete(response) && responses.size > 0) this.#waiting -= 1;
    });
    return true;
  }

  #responsesOf(socket: Socket): Set<ServerResponse> {
    const known = this.#underWay.get(socket);
    if (known !== undefined) return known;
    const responses = new Set<ServerResponse>();
    this.#underWay.set(socket, responses);
    return responses;
  }
}

/** What is left of a packet when its connection has ended would still be parsed, thousands of requests at a time. */
function stopParsing(socket: Socket): void {
  // as: node:http keeps its parser there, and what it is to call with each request (_http_server.js, parserOnIncoming), until it is freed
  const { parser } = socket as { readonly parser?: { onIncoming: () => number } | null };
  if (parser !== undefined && parser !== null) parser.onIncoming = () => UPGRADE;
}
