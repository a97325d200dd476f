/**
 * PIPELINE-1 Of one connection at most PIPELINED_MAX requests are under way; with one more the connection ends. Each request in a row
 *    costs some kilobytes until the answers before it are read, and a row of them fits into one packet.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Requests in a row on one connection: browsers send none before the answer, libraries that do send a few. */
export const PIPELINED_MAX = 32;

export class Pipeline {
  readonly #underWay = new WeakMap<Socket, number>();

  /** Whether there is room for the request; when not, its connection has been ended. */
  admits({ socket }: IncomingMessage, response: ServerResponse): boolean {
    if (socket.destroyed) return false; // the parser goes on with what it has
    const count = (this.#underWay.get(socket) ?? 0) + 1;
    if (count > PIPELINED_MAX) {
      socket.destroy(); // PIPELINE-1
      return false;
    }
    this.#underWay.set(socket, count);
    response.once('close', () => this.#underWay.set(socket, (this.#underWay.get(socket) ?? 1) - 1));
    return true;
  }
}
