/**
 * How many connections a server takes, below the limit of open files: what starts sessions and keeps them needs files too.
 *
 * CONNECTIONS-1 a server has at most `connectionsMax` connections, its upgraded ones included: one more is closed at once, which the
 *    log says once a minute. When few are left, room is made of those that are kept open for a next request: of those that have waited
 *    longest, and not of those in use, which have just been answered.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from '../kernel/logger.ts';

/** Refused connections are told to the operator so often. */
const REFUSED_LOG_MS = 60_000;
/** From this share of the connections on, idle ones are closed. */
const IDLE_SHARE = 0.9;
/** Since the last answer. A client that works asks again sooner; to lose its connection then would cost it a request. */
const IDLE_MS_MIN = 1_000;

export interface ConnectionBounds {
  readonly connectionsMax: number;
  readonly logger: Logger;
  /** Which door, for the log. */
  readonly door: string;
}

export function boundConnections(server: Server, { connectionsMax, logger, door }: ConnectionBounds): void {
  server.maxConnections = connectionsMax;
  let open = 0;
  let loggedAt = Number.NEGATIVE_INFINITY;
  let refused = 0;
  const idle = new Idle(server);
  const makeRoom = (): void => {
    const roomFrom = Math.floor(connectionsMax * IDLE_SHARE);
    if (open >= roomFrom) idle.close(open - roomFrom + 1);
  };
  server.on('connection', (socket) => {
    open += 1;
    socket.once('close', () => (open -= 1));
    makeRoom();
  });
  server.on('drop', () => {
    refused += 1;
    makeRoom();
    const now = performance.now();
    if (now - loggedAt < REFUSED_LOG_MS) return;
    loggedAt = now;
    logger.warn('connections are refused: as many are open as may be', { door, connectionsMax, refused });
    refused = 0;
  });
}

/** Connections that wait for a next request, who has waited longest first. */
class Idle {
  readonly #since = new Map<Socket, number>();
  /** Requests under way of those that have some. */
  readonly #underWay = new WeakMap<Socket, number>();

  constructor(server: Server) {
    server.on('request', (request, response) => this.#take(request, response));
    server.on('upgrade', ({ socket }: IncomingMessage) => this.#since.delete(socket));
  }

  /** At most `count`. */
  close(count: number): void {
    const before = performance.now() - IDLE_MS_MIN;
    let left = count;
    for (const [socket, since] of this.#since) {
      if (left === 0 || since > before) return;
      left -= 1;
      this.#since.delete(socket);
      socket.destroy();
    }
  }

  #take({ socket }: IncomingMessage, response: ServerResponse): void {
    const before = this.#underWay.get(socket);
    this.#underWay.set(socket, (before ?? 0) + 1);
    this.#since.delete(socket);
    if (before === undefined) socket.once('close', () => this.#since.delete(socket));
    response.once('close', () => {
      const left = (this.#underWay.get(socket) ?? 1) - 1;
      this.#underWay.set(socket, left);
      if (left === 0 && !socket.destroyed) this.#since.set(socket, performance.now());
    });
  }
}
