/**
 * A WebSocket client that counts bytes and looks for a mark at the end of what has come, and does nothing else: a client
 * that parsed would be measured in place of the server. It answers no pings, so it must not live longer than 30 seconds.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

/** A mark must be within so many bytes of the end. */
const TAIL_BYTES = 256;
const TEXT_FRAME = 0x81;
const MASKED = 0x80;
const LENGTH_16 = 126;

export class CountingSocket {
  readonly #socket: Socket;
  #tail: Buffer = Buffer.alloc(0);
  #mark: Buffer | undefined;
  #found: () => void = () => undefined;
  #lost: (error: Error) => void = () => undefined;
  /** Bytes received so far, the handshake included. */
  bytes = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error) => this.#lost(error));
    socket.on('close', () => this.#lost(new Error(`The server closed the socket: ${this.#tail.toString()}`)));
  }

  static async open(port: number, path: string, protocol?: string): Promise<CountingSocket> {
    const raw = connect({ port, host: '127.0.0.1' });
    await new Promise((resolve, reject) => raw.once('connect', resolve).once('error', reject));
    const socket = new CountingSocket(raw);
    const upgraded = socket.sees('\r\n\r\n');
    raw.write(
      `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nupgrade: websocket\r\nconnection: Upgrade\r\n` +
        `sec-websocket-key: ${randomBytes(16).toString('base64')}\r\nsec-websocket-version: 13\r\n` +
        `${protocol === undefined ? '' : `sec-websocket-protocol: ${protocol}\r\n`}\r\n`,
    );
    await upgraded;
    return socket;
  }

  /** Opens and says hello as graphql-transport-ws asks. */
  static async openGraphql(port: number, key: string): Promise<CountingSocket> {
    const socket = await CountingSocket.open(port, '/graphql', 'graphql-transport-ws');
    const acknowledged = socket.sees('connection_ack');
    socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${key}` } }));
    await acknowledged;
    return socket;
  }

  send(text: string): void {
    const payload = Buffer.from(text); // 126 to 65,535 bytes or fewer than 126: all that a benchmark sends
    const head =
      payload.length < LENGTH_16
        ? Buffer.from([TEXT_FRAME, MASKED | payload.length])
        : Buffer.from([TEXT_FRAME, MASKED | LENGTH_16, payload.length >> 8, payload.length & 0xff]);
    const mask = Buffer.alloc(4); // a mask of zeroes changes nothing
    this.#socket.write(Buffer.concat([head, mask, payload]));
  }

  /** Resolves when `mark` is at the end of what has come. Ask before what brings it. */
  sees(mark: string): Promise<void> {
    this.#mark = Buffer.from(mark);
    return new Promise((resolve, reject) => {
      this.#found = resolve;
      this.#lost = reject;
    });
  }

  close(): void {
    this.#lost = () => undefined;
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.bytes += chunk.length;
    this.#tail = (chunk.length >= TAIL_BYTES ? chunk : Buffer.concat([this.#tail, chunk])).subarray(
      -TAIL_BYTES,
    );
    if (this.#mark === undefined || !this.#tail.includes(this.#mark)) return;
    this.#mark = undefined;
    this.#found();
  }
}
