/** A WebSocket client that hands on each message as text: where single messages are timed, not throughput. */
import { WebSocket } from 'ws';

export class ReadingSocket {
  readonly #socket: WebSocket;
  #onMessage: (text: string) => void = () => undefined;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data: Buffer) => this.#onMessage(data.toString()));
  }

  static async open(url: string, protocol?: string): Promise<ReadingSocket> {
    const socket = new WebSocket(url, protocol === undefined ? [] : [protocol], { perMessageDeflate: false });
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    return new ReadingSocket(socket);
  }

  /** Opens and says hello as graphql-transport-ws asks. */
  static async openGraphql(port: number, key: string): Promise<ReadingSocket> {
    const socket = await ReadingSocket.open(`ws://127.0.0.1:${port}/graphql`, 'graphql-transport-ws');
    const acknowledged = socket.message((text) => text.includes('connection_ack'));
    socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${key}` } }));
    await acknowledged;
    return socket;
  }

  send(text: string): void {
    this.#socket.send(text);
  }

  /** When the first message that fits arrives: milliseconds of performance.now(). Ask before what brings it. */
  message(fits: (text: string) => boolean): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#socket.once('close', reject);
      this.#onMessage = (text) => {
        const now = performance.now();
        if (!fits(text)) return;
        this.#socket.off('close', reject);
        resolve(now);
      };
    });
  }

  async close(): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    const closed = new Promise((resolve) => this.#socket.once('close', resolve));
    this.#socket.close();
    await closed;
  }
}
