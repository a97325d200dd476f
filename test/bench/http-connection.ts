/** A keep-alive HTTP connection that costs next to nothing, so that the server is what is measured. */
import { connect, type Socket } from 'node:net';

const HEAD_END = Buffer.from('\r\n\r\n');
/** Where an answer in chunks ends; the few that are asked for here hold no such bytes themselves. */
const LAST_CHUNK = Buffer.from('0\r\n\r\n');

export class HttpConnection {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #waiting: { resolve(body: string): void; reject(error: Error): void } | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    const fail = (error?: Error): void =>
      this.#waiting?.reject(error ?? new Error('The server closed the connection.'));
    socket.on('error', fail);
    socket.on('close', () => fail());
  }

  static async open(port: number): Promise<HttpConnection> {
    const socket = connect({ port, host: '127.0.0.1' });
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new HttpConnection(socket);
  }

  /** One request at a time; answers the body, throws for another status than 200. */
  send(request: string): Promise<string> {
    if (this.#socket.destroyed) return Promise.reject(new Error('The server has closed the connection.'));
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const headEnd = this.#received.indexOf(HEAD_END);
    if (headEnd < 0) return;
    const head = this.#received.toString('latin1', 0, headEnd);
    const start = headEnd + HEAD_END.length;
    const length = /content-length: *(\d+)/i.exec(head)?.[1];
    const last = length === undefined ? this.#received.indexOf(LAST_CHUNK, start) : start + Number(length);
    if (last < 0 || this.#received.length < last) return;
    const body = this.#received.toString('utf8', start, last); // of chunks: with their lengths
    const end = length === undefined ? last + LAST_CHUNK.length : last;
    this.#received = this.#received.subarray(end);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (head.startsWith('HTTP/1.1 200')) waiting?.resolve(body);
    else waiting?.reject(new Error(`${head.slice(0, 30)}: ${body.slice(0, 500)}`));
  }
}

/** The bytes of a JSON POST. */
export function post(path: string, bearer: string, body: string): string {
  return (
    `POST ${path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\nauthorization: Bearer ${bearer}\r\n` +
    `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  );
}

/** Sends all requests, `inFlight` at a time, over as many connections. */
export async function sendAll(port: number, inFlight: number, requests: readonly string[]): Promise<void> {
  const connections = await Promise.all(Array.from({ length: inFlight }, () => HttpConnection.open(port)));
  let next = 0;
  const worker = async (connection: HttpConnection): Promise<void> => {
    for (let request = requests[next++]; request !== undefined; request = requests[next++]) {
      const body = await connection.send(request);
      if (body.includes('"errors"') || body.includes('"code"')) throw new Error(body.slice(0, 500));
    }
  };
  try {
    await Promise.all(connections.map(worker));
  } finally {
    for (const connection of connections) connection.close();
  }
}
