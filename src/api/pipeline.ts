/**
 * Requests that are sent in a row on one connection. Each costs some kilobytes until the answers before it are read, and a row of
 * thousands fits into one packet, which Node parses at one go.
 *
 * PIPELINE-1 Of one connection at most PIPELINED_MAX requests are under way; with one more the connection ends, and what it has sent
 *    after that is not parsed.
 * PIPELINE-2 Of all connections at most PIPELINED_WAITING_MAX requests wait behind another one; with one more its connection ends.
 * PIPELINE-3 A request is begun when the answer before it is over: a row is no way to have more done at once.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Requests in a row on one connection: browsers send none before the answer, libraries that do send a few. */
export const PIPELINED_MAX = 8;
/** And of all connections: some ten kilobytes each, so some megabytes. Who sends none in a row is not concerned. */
const PIPELINED_WAITING_MAX = 1_024;

interface UnderWay {
  readonly response: ServerResponse;
  begin(): void;
}

export class Pipeline {
  readonly #waitingMax: number;
  /** In the order in which they came: the first has begun. */
  readonly #rows = new WeakMap<Socket, UnderWay[]>();
  #waiting = 0;

  constructor(waitingMax = PIPELINED_WAITING_MAX) {
    this.#waitingMax = waitingMax;
  }

  /** Requests that wait behind another of their connection. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Calls `begin` when it is the turn of the request. Answers whether there is room for it; when not, its connection has been ended. */
  admits({ socket }: IncomingMessage, response: ServerResponse, begin: () => void): boolean {
    if (socket.destroyed) return false; // the parser goes on with what it has
    const row = this.#rows.get(socket) ?? [];
    const waits = row.length > 0;
    if (row.length >= PIPELINED_MAX || (waits && this.#waiting >= this.#waitingMax)) {
      socket.destroy(); // PIPELINE-1, PIPELINE-2
      stopParsing(socket);
      return false;
    }
    const underWay = { response, begin };
    row.push(underWay);
    response.once('close', () => this.#end(socket, row, underWay));
    if (waits) this.#waiting += 1;
    else {
      this.#rows.set(socket, row);
      begin();
    }
    return true;
  }

  #end(socket: Socket, row: UnderWay[], underWay: UnderWay): void {
    const wasFirst = row[0] === underWay;
    row.splice(row.indexOf(underWay), 1);
    if (row.length > 0 || !wasFirst) this.#waiting -= 1; // itself, or the one that is now the first
    if (wasFirst && !socket.destroyed) row[0]?.begin(); // PIPELINE-3
  }
}

/** What is left of a packet when its connection has ended would still be parsed, thousands of requests at a time. */
function stopParsing(socket: Socket): void {
  // as: node:http keeps its parser there, and what it is to call with each request (_http_server.js, parserOnIncoming), until it is freed
  const { parser } = socket as { readonly parser?: { onIncoming: () => number } | null };
  // 2: as after an upgrade, it leaves alone whatever follows.
  if (parser !== undefined && parser !== null) parser.onIncoming = () => 2;
}
