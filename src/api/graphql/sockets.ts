/** The sockets that are open: admitting upgrades, keeping sockets alive, ending them. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { CloseCode, handleProtocols } from 'graphql-ws';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { REQUEST_BYTES_MAX } from '../../kernel/limit.ts';
import { rawAnswer } from '../response-headers.ts';
import { PING_INTERVAL_MS, SOCKETS_MAX } from './limits.ts';
import { type GraphqlOptions, type GraphqlPorts, isWelcome } from './options.ts';
import { Outlet } from './outlet.ts';
import { CLOSE, type SocketServer } from './socket-door.ts';

/** How long a closing socket may take to say goodbye. */
const CLOSE_GRACE_MS = 1_000;

export class Sockets {
  readonly #server: SocketServer;
  readonly #logger: GraphqlPorts['logger'];
  readonly #options: GraphqlOptions;
  readonly #upgrades = new WebSocketServer({
    noServer: true,
    maxPayload: REQUEST_BYTES_MAX,
    perMessageDeflate: false, // it costs ten times what it saves (a socket's bytes are cheaper than our time)
    handleProtocols,
    clientTracking: false,
  });
  readonly #open = new Set<WebSocket>();
  /** Those that have answered since the last ping. */
  readonly #answered = new WeakSet<WebSocket>();
  readonly #pinging: NodeJS.Timeout;

  constructor(server: SocketServer, ports: GraphqlPorts, options: GraphqlOptions) {
    this.#server = server;
    this.#logger = ports.logger;
    this.#options = options;
    this.#upgrades.on('wsClientError', (_error, socket) => refuse(socket, '400 Bad Request')); // HEADER-1
    this.#pinging = setInterval(() => this.#ping(), PING_INTERVAL_MS);
  }

  get count(): number {
    return this.#open.size;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (!isWelcome(request.headers.origin, this.#options)) return refuse(socket, '403 Forbidden');
    if (this.#open.size >= SOCKETS_MAX) return refuse(socket, '503 Service Unavailable');
    this.#upgrades.handleUpgrade(request, socket, head, (ws) => this.#opened(ws, socket, request));
  }

  /** Tells every client to come back, and returns when all sockets have closed. */
  async close(): Promise<void> {
    clearInterval(this.#pinging);
    const closed = [...this.#open].map((ws) => new Promise((resolve) => ws.once('close', resolve)));
    for (const ws of this.#open) ws.close(CLOSE.goingAway, 'The server goes away; connect again.');
    const impatient = setTimeout(() => {
      for (const ws of this.#open) ws.terminate();
    }, CLOSE_GRACE_MS);
    await Promise.all(closed);
    clearTimeout(impatient);
    this.#upgrades.close();
  }

  #opened(ws: WebSocket, socket: Duplex, request: IncomingMessage): void {
    const outlet = new Outlet(ws, socket);
    this.#open.add(ws);
    this.#answered.add(ws);
    const failed = (error: unknown): void => {
      this.#logger.error('a socket failed', { error });
      outlet.close(CLOSE.defect, 'Internal error');
    };
    const closed = this.#server.opened(
      {
        protocol: ws.protocol,
        send: (text) => outlet.send(text),
        close: (code, reason) => ws.close(code, reasonOf(code, reason)),
        onMessage: (take) =>
          ws.on('message', (data) => {
            outlet.holdInput();
            void take(textOf(data)).catch(failed);
          }),
      },
      { request, outlet },
    );
    ws.on('pong', () => this.#answered.add(ws));
    ws.on('error', (error) => this.#logger.info('a socket broke', { error }));
    ws.once('close', (code, reason) => {
      this.#open.delete(ws);
      void closed(code, reason.toString()).catch(failed);
    });
  }

  #ping(): void {
    for (const ws of this.#open) {
      if (!this.#answered.delete(ws)) ws.terminate();
      else ws.ping();
    }
  }
}

/** ECHO-1: the protocol's server names the id, which is the client's own and as long as it likes; a reason has 123 bytes (RFC 6455 5.5). */
function reasonOf(code: number | undefined, reason: string | undefined): string | undefined {
  return code === CloseCode.SubscriberAlreadyExists ? 'An operation of this id is running.' : reason;
}

function refuse(socket: Duplex, status: string): void {
  socket.end(rawAnswer(status));
}

function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString();
  return data instanceof ArrayBuffer ? Buffer.from(data).toString() : data.toString();
}
