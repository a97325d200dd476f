/** The sockets that are open: admitting upgrades, keeping sockets alive, ending them. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { handleProtocols } from 'graphql-ws';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { REQUEST_BYTES_MAX } from '../../kernel/limit.ts';
import { PING_INTERVAL_MS, SOCKETS_MAX } from './limits.ts';
import type { GraphqlOptions, GraphqlPorts } from './options.ts';
import { Outlet } from './outlet.ts';
import { CLOSE, type SocketServer } from './socket-door.ts';

/** How long a closing socket may take to say goodbye. */
const CLOSE_GRACE_MS = 1_000;

export class Sockets {
  readonly #server: SocketServer;
  readonly #logger: GraphqlPorts['logger'];
  readonly #origins: readonly string[] | undefined;
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
    this.#origins = options.origins;
    this.#pinging = setInterval(() => this.#ping(), PING_INTERVAL_MS);
  }

  get count(): number {
    return this.#open.size;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { origin } = request.headers;
    if (origin !== undefined && this.#origins !== undefined && !this.#origins.includes(origin)) {
      return refuse(socket, '403 Forbidden');
    }
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
        close: (code, reason) => ws.close(code, reason),
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

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString();
  return data instanceof ArrayBuffer ? Buffer.from(data).toString() : data.toString();
}
