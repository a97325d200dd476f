/** The sockets that are open: admitting upgrades, keeping sockets alive, ending them. */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { CloseCode, handleProtocols } from 'graphql-ws';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { REQUEST_BYTES_MAX } from '../../kernel/limit.ts';
import type { TimeSlices } from '../../kernel/time-slices.ts';
import { rawAnswer } from '../response-headers.ts';
import { type Crowd, FRAGMENTS_MAX, Inflow, READS_MAX } from './inflow.ts';
import { PING_INTERVAL_MS, SOCKETS_MAX } from './limits.ts';
import { requestExcess } from './json-excess.ts';
import { hasKeyInUrl, KEY_IN_URL } from './key-in-url.ts';
import { Mailbox } from './mailbox.ts';
import { type GraphqlOptions, type GraphqlPorts, isWelcome } from './options.ts';
import type { Outgoing } from './outgoing.ts';
import { Outlet } from './outlet.ts';
import { CLOSE } from './close-code.ts';
import type { Extra, SocketServer } from './socket-door.ts';

/** How long a closing socket may take to say goodbye. */
const CLOSE_GRACE_MS = 1_000;
/** Messages of a socket that has not said who it is: connection_init, and a ping or two of an impatient client. */
const UNKNOWN_MESSAGES_MAX = 8;
/** What a ping carries is sent back when it is not longer: clients put a time or a number there. */
const PING_PAYLOAD_CHARS_MAX = 1_024;
/** What our own pings carry, so that only who has read one can answer it. */
const PING_MARK_BYTES = 8;

/** Options of ws 8.21 that its types do not know yet. By itself it gives half a minute to whoever does not say goodbye. */
const UNTYPED = { maxFragments: FRAGMENTS_MAX, maxBufferedChunks: READS_MAX, closeTimeout: CLOSE_GRACE_MS };

/** What sockets share with requests. */
export interface SocketBounds {
  readonly outgoing: Outgoing;
  readonly slices: TimeSlices;
}

interface OpenSocket {
  readonly outlet: Outlet;
  readonly inflow: Inflow;
}

export class Sockets {
  readonly #server: SocketServer;
  readonly #logger: GraphqlPorts['logger'];
  readonly #options: GraphqlOptions;
  readonly #upgrades = new WebSocketServer({
    noServer: true,
    maxPayload: REQUEST_BYTES_MAX,
    ...UNTYPED,
    perMessageDeflate: false, // it costs ten times what it saves (a socket's bytes are cheaper than our time)
    handleProtocols,
    clientTracking: false,
    autoPong: false, // an answer is bytes that somebody has to read: #answerPings
  });
  readonly #open = new Map<WebSocket, OpenSocket>();
  readonly #crowd: Crowd = { bytes: 0 };
  readonly #bounds: SocketBounds;
  readonly #socketsMax: number;
  #pingMark = randomBytes(PING_MARK_BYTES);
  /** Those that have answered since the last ping. */
  readonly #answered = new WeakSet<WebSocket>();
  readonly #pinging: NodeJS.Timeout;

  constructor(server: SocketServer, ports: GraphqlPorts, options: GraphqlOptions, bounds: SocketBounds) {
    this.#server = server;
    this.#bounds = bounds;
    this.#socketsMax = Math.min(options.socketsMax ?? SOCKETS_MAX, SOCKETS_MAX);
    this.#logger = ports.logger;
    this.#options = options;
    this.#upgrades.on('wsClientError', (_error, socket) => refuse(socket, '400 Bad Request')); // HEADER-1
    this.#pinging = setInterval(() => this.#ping(), PING_INTERVAL_MS);
  }

  get count(): number {
    return this.#open.size;
  }

  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    if (!isWelcome(request.headers.origin, this.#options)) return refuse(socket, '403 Forbidden');
    if (hasKeyInUrl(request)) return refuse(socket, '400 Bad Request', KEY_IN_URL); // URL-1
    if (this.#open.size >= this.#socketsMax) return refuse(socket, '503 Service Unavailable');
    this.#upgrades.handleUpgrade(request, socket, head, (ws) => this.#opened(ws, socket, request));
  }

  /** Tells every client to come back, and returns when all sockets have closed. */
  async close(): Promise<void> {
    clearInterval(this.#pinging);
    const closed = [...this.#open.keys()].map((ws) => new Promise((resolve) => ws.once('close', resolve)));
    for (const ws of this.#open.keys()) ws.close(CLOSE.goingAway, 'The server goes away; connect again.');
    const impatient = setTimeout(() => {
      for (const ws of this.#open.keys()) ws.terminate();
    }, CLOSE_GRACE_MS);
    await Promise.all(closed);
    clearTimeout(impatient);
    this.#upgrades.close();
  }

  #opened(ws: WebSocket, socket: Socket, request: IncomingMessage): void {
    const { outgoing, slices } = this.#bounds;
    const outlet = new Outlet(ws, socket, outgoing);
    const close = (code: number, reason: string): void => outlet.close(code, reason);
    const inflow = new Inflow({ ws, socket, crowd: this.#crowd, close, now: () => performance.now() });
    const known = (): void => {
      inflow.known();
      slices.promote(socket, 'keyed'); // SLICE-4
    };
    const extra: Extra = { request, outlet, inflow: { known }, ends: new Set() };
    let unknown = 0; // messages before we knew who it is
    this.#open.set(ws, { outlet, inflow });
    this.#answered.add(ws);
    const failed = (error: unknown): void => {
      this.#logger.error('a socket failed', { error });
      outlet.close(CLOSE.defect, 'Internal error');
    };
    let taken: (text: string) => Promise<void> = () => Promise.resolve(); // until the protocol's server has said how
    const take = (data: RawData): void => {
      outlet.holdUnread();
      const text = textOf(data);
      const excess = requestExcess(text);
      if (excess !== undefined) return outlet.close(CLOSE.badRequest, excess.message); // JSON-1
      void taken(text).catch(failed);
    };
    const mailbox = new Mailbox({ ws, socket, outlet, slices, take });
    const closed = this.#server.opened(
      {
        protocol: ws.protocol,
        send: (text) => outlet.send(text),
        close: (code, reason) => ws.close(code, reasonOf(code, reason)),
        onMessage: (begin) => (taken = begin),
        onPing(payload) {
          if (extra.principal === undefined) return; // whoever has not said who it is gets no answers
          const text = JSON.stringify(payload);
          const isShort = text !== undefined && text.length <= PING_PAYLOAD_CHARS_MAX;
          outlet.send(isShort ? `{"type":"pong","payload":${text}}` : '{"type":"pong"}');
        },
      },
      extra,
    );
    ws.on('message', (data) => {
      if (!outlet.open) return; // we have closed it
      if (extra.principal === undefined) unknown += 1;
      if (unknown <= UNKNOWN_MESSAGES_MAX || extra.principal !== undefined) return mailbox.message(data);
      outlet.close(CLOSE.unauthenticated, 'Send connection_init first, and little else.');
    });
    ws.on('ping', (data) => {
      outlet.holdUnread();
      if (extra.principal !== undefined) mailbox.ping(data);
    });
    ws.on('pong', (data) => {
      if (data.equals(this.#pingMark)) this.#answered.add(ws);
    });
    ws.on('error', (error) => this.#logger.info('a socket broke', { error }));
    ws.once('close', (code, reason) => {
      this.#open.delete(ws);
      void closed(code, reason.toString()).catch(failed);
    });
  }

  /** In slices, since each is a write: to all of thousands of sockets at once would take seconds. */
  #ping(): void {
    const mark = randomBytes(PING_MARK_BYTES);
    this.#pingMark = mark;
    for (const [ws, held] of this.#open) this.#bounds.slices.run(ws, () => this.#pingOne(ws, held, mark));
  }

  #pingOne(ws: WebSocket, { outlet, inflow }: OpenSocket, mark: Buffer): void {
    const isStuck = inflow.isStuck();
    // One that has something to read gets to the ping later: whether it reads at all, outgoing.ts sees.
    if (isStuck || (!this.#answered.delete(ws) && outlet.buffered === 0)) ws.terminate();
    else ws.ping(mark);
  }
}

/** ECHO-1: the protocol's server names the id, which is the client's own and as long as it likes; a reason has 123 bytes (RFC 6455 5.5). */
function reasonOf(code: number | undefined, reason: string | undefined): string | undefined {
  return code === CloseCode.SubscriberAlreadyExists ? 'An operation of this id is running.' : reason;
}

/** Answers an upgrade, and closes its connection for good: a client may keep its half open for ever. */
export function refuse(socket: Duplex, status: string, json = ''): void {
  const type: Record<string, string> =
    json === '' ? {} : { 'content-type': 'application/json; charset=utf-8' };
  socket.end(rawAnswer(status, json, type), () => socket.destroy());
}

function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString();
  return data instanceof ArrayBuffer ? Buffer.from(data).toString() : data.toString();
}
