/**
 * How many connections a server takes, below the limit of open files: what starts sessions and keeps them needs files too.
 *
 * CONNECTIONS-1 a server has at most `connectionsMax` connections, its upgraded ones included: one more is closed at once, which the
 *    log says once a minute. When few are left, those that are kept open for a next request are closed first.
 */
import type { Server } from 'node:http';
import type { Logger } from '../kernel/logger.ts';

/** Refused connections are told to the operator so often. */
const REFUSED_LOG_MS = 60_000;
/** From this share of the connections on, idle ones are closed. */
const IDLE_SHARE = 0.9;
/** Looking for idle ones costs a look at each: so often at most. */
const IDLE_LOOK_MS = 100;

export interface ConnectionBounds {
  readonly connectionsMax: number;
  readonly logger: Logger;
  /** Which door, for the log. */
  readonly door: string;
}

export function boundConnections(server: Server, { connectionsMax, logger, door }: ConnectionBounds): void {
  server.maxConnections = connectionsMax;
  let open = 0;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let loggedAt = Number.NEGATIVE_INFINITY;
  let refused = 0;
  const closeIdle = (): void => {
    const now = performance.now();
    if (now - lookedAt < IDLE_LOOK_MS) return;
    lookedAt = now;
    server.closeIdleConnections();
  };
  server.on('connection', (socket) => {
    open += 1;
    socket.once('close', () => (open -= 1));
    if (open >= connectionsMax * IDLE_SHARE) closeIdle();
  });
  server.on('drop', () => {
    refused += 1;
    closeIdle();
    const now = performance.now();
    if (now - loggedAt < REFUSED_LOG_MS) return;
    loggedAt = now;
    logger.warn('connections are refused: as many are open as may be', { door, connectionsMax, refused });
    refused = 0;
  });
}
