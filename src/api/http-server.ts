/**
 * The one HTTP server: /graphql (with its sockets), /audit.ndjson, /healthz (the process lives), /readyz (it can serve), / (a hint).
 * Everything else is 404 in JSON.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { bearerOf } from '../access/bearer.ts';
import { systemClock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import { Outage } from '../kernel/outage.ts';
import type { AuditExport } from './audit-export.ts';
import { boundConnections } from './connections.ts';
import { retryAfterSeconds } from './fault-table.ts';
import type { GraphqlDoor } from './graphql/graphql-door.ts';
import { hasKeyInUrl, KEY_IN_URL } from './graphql/key-in-url.ts';
import { Incoming, IncomingRequest } from './incoming.ts';
import { Pipeline } from './pipeline.ts';
import { boundReads } from './read-budget.ts';
import { refuse } from './graphql/sockets.ts';
import { answerBroken, setResponseHeaders } from './response-headers.ts';

/** Idle connections that are kept for the next request. */
const KEEP_ALIVE_MS = 65_000;
/** How long a client may take to send a request: two megabytes over a bad line. */
const REQUEST_TIMEOUT_MS = 60_000;
/** How long a connection may take to say what it wants, from its start on: one that says nothing holds a file of ours. */
const GREETING_TIMEOUT_MS = 10_000;
/** Connections are looked at so often for that, so this is how much longer they may live. */
const CHECK_MS = 1_000;
/** Connections at once where nobody says how many files there are. */
const CONNECTIONS_DEFAULT = 10_000;
/** Requests in flight may end within this long when the server closes; streams are cut. */
const CLOSE_GRACE_MS = 2_000;
/** Balancers do not wait longer for an answer; a store that takes longer does not serve. */
const READY_MS_MAX = 1_500;
/** Connections that the kernel holds until they are accepted, as Linux allows (somaxconn): whoever finds no place knocks again after a second. */
const BACKLOG = 4_096;
export interface HttpServerPorts {
  readonly graphql: GraphqlDoor;
  readonly auditExport: AuditExport;
  readonly logger: Logger;
  /** Rejects when the process cannot serve, for example without its database; an Outage says why. */
  ready(): Promise<void>;
}

export interface ListenOptions {
  readonly port: number;
  readonly host?: string | undefined;
  /** Absent: CONNECTIONS_DEFAULT. */
  readonly connectionsMax?: number | undefined;
  /** For tests: GREETING_TIMEOUT_MS. */
  readonly greetingMs?: number | undefined;
  /** For tests: INCOMING_BYTES_MAX. */
  readonly incomingBytesMax?: number | undefined;
}

export interface HttpServer {
  readonly port: number;
  /** Stops accepting, ends the sockets, lets requests end, and returns when nothing is left. */
  close(): Promise<void>;
}

const HINT = `Holdfast: durable agent sessions.

  POST /graphql   the API, with "Authorization: Bearer <API key>"; a browser gets GraphiQL
  WS   /graphql   the same, for subscriptions (graphql-transport-ws)
  GET  /audit.ndjson   the audit log, a JSON object on each line
  GET  /healthz   the process lives
  GET  /readyz    it can serve
`;

/** Listens; rejects when it cannot, for example because the port is in use. */
export async function listen(
  ports: HttpServerPorts,
  {
    port: wanted,
    host,
    connectionsMax = CONNECTIONS_DEFAULT,
    greetingMs = GREETING_TIMEOUT_MS,
    incomingBytesMax,
  }: ListenOptions,
): Promise<HttpServer> {
  const pipeline = new Pipeline();
  const incoming = new Incoming({ logger: ports.logger, bytesMax: incomingBytesMax });
  const { slices } = ports.graphql;
  const admit = (req: IncomingRequest, res: ServerResponse): void => {
    const { socket } = req;
    const begin = (): void =>
      slices.run(socket, () => {
        if (!socket.destroyed) answer(ports, req, res);
      });
    if (pipeline.admits(req, res, begin)) incoming.add(req, res);
  };
  const server = createServer(
    {
      IncomingMessage: IncomingRequest,
      keepAliveTimeout: KEEP_ALIVE_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: greetingMs,
      connectionsCheckingInterval: Math.min(CHECK_MS, greetingMs),
    },
    admit,
  );
  server.on('checkContinue', (req: IncomingRequest, res) => {
    req.expectsContinue = true;
    server.emit('request', req, res);
  });
  boundReads(server, slices); // READS-1
  const broken = new WeakSet<Duplex>();
  server.on('clientError', (error, socket: Duplex) => {
    if (broken.has(socket)) return; // it goes on sending
    broken.add(socket);
    slices.run(socket, () => answerBroken(error, socket as Socket)); // HEADER-1; as: of a server of ours
  });
  boundConnections(server, { connectionsMax, logger: ports.logger, door: 'outer door' });
  server.on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy()); // a client that goes away in the middle of its upgrade
    slices.run(socket, () => {
      // as: of a server of ours that listens, not of another source
      if (pathOf(req) === '/graphql') ports.graphql.upgrade(req, socket as Socket, head);
      else refuse(socket, '404 Not Found');
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: wanted, host, backlog: BACKLOG }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { port } = server.address() as AddressInfo; // as: it listens on a port, not on a path
  return {
    port,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      await ports.graphql.close();
      server.closeIdleConnections();
      const impatient = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
      await closed;
      clearTimeout(impatient);
    },
  };
}

function answer(ports: HttpServerPorts, req: IncomingRequest, res: ServerResponse): void {
  setResponseHeaders(res); // HEADER-1
  if (req.expectsContinue) continueOrClose(req, res);
  ports.graphql.outgoing.addResponse(res);
  route(ports, req, res).catch((error: unknown) => {
    ports.logger.error('a request failed', { path: pathOf(req), error });
    if (res.headersSent) res.destroy();
    else if (error instanceof Outage) {
      res.setHeader('retry-after', retryAfterSeconds(error));
      sendJson(res, 503, { error: { code: error.code, message: error.message } });
    } else sendJson(res, 500, { error: { code: 'INTERNAL', message: 'Something failed on our side.' } });
  });
}

/** Whoever is refused by the head alone is not asked for the body: then nothing can follow it on its connection (RFC 9110 10.1.1). */
function continueOrClose(req: IncomingMessage, res: ServerResponse): void {
  if (bearerOf(req.headers.authorization) === undefined) res.setHeader('connection', 'close');
  else res.writeContinue();
}

async function route(
  { graphql, auditExport, ready }: HttpServerPorts,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  if (!URL.canParse(`http://${req.headers.host ?? 'localhost'}`)) {
    return sendJson(res, 400, {
      error: { code: 'INVALID_INPUT', message: 'Host: expected the name of this server.' },
    });
  }
  switch (pathOf(req)) {
    case '/graphql':
      return graphql.handle(req, res);
    case '/audit.ndjson':
      if (hasKeyInUrl(req)) return sendText(res, 400, KEY_IN_URL); // URL-1
      return auditExport.handle(req, res, graphql);
    case '/healthz':
      return sendText(res, 200, 'ok\n');
    case '/readyz': {
      const obstacle = await obstacleOf(ready);
      return obstacle === undefined
        ? sendText(res, 200, 'ready\n')
        : sendText(res, 503, `not ready: ${obstacle}\n`);
    }
    case '/':
      return sendText(res, 200, HINT);
    default:
      return sendJson(res, 404, {
        error: { code: 'NOT_FOUND', message: 'There is nothing here. The API is at /graphql.' },
      });
  }
}

/** Why the server cannot serve; undefined when it can. */
async function obstacleOf(ready: () => Promise<void>): Promise<string | undefined> {
  const answered = new AbortController();
  const late = systemClock
    .sleep(READY_MS_MAX, answered.signal)
    .then(() => `the store did not answer within ${READY_MS_MAX} ms`);
  try {
    return await Promise.race([ready().then(() => undefined), late]);
  } catch (error) {
    return error instanceof Outage ? error.message : 'a part of the server failed'; // which logs why
  } finally {
    answered.abort();
  }
}

function pathOf({ url = '/' }: IncomingMessage): string {
  const end = url.indexOf('?');
  return end < 0 ? url : url.slice(0, end);
}

function sendText(res: ServerResponse, status: number, text: string): void {
  res.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  res.end(text);
}

function sendJson(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(JSON.stringify(body));
}
