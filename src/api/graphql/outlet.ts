/**
 * The sending side of one socket. What is sent in one turn of the event loop leaves in one write (the socket is corked
 * until the turn's promises have run). `send` never waits for a write; whoever sends much asks `room()` in between.
 *
 * A message is framed here and written as one buffer: ws writes head and payload apart, which costs half as much again
 * when a thousand followers are sent a small event each. ws's own frames (close, ping, pong) keep their order with ours,
 * since without compression it holds nothing back.
 */
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { once } from '../../kernel/tail.ts';
import { SEND_AHEAD_BYTES_MAX, SOCKET_BYTES_MAX } from './limits.ts';

export class Outlet {
  readonly #ws: WebSocket;
  readonly #socket: Duplex;
  #corked = false;
  #held = false;

  constructor(ws: WebSocket, socket: Duplex) {
    this.#ws = ws;
    this.#socket = socket;
  }

  /** Bytes that the other side has not taken yet. */
  get buffered(): number {
    return this.#ws.bufferedAmount;
  }

  get open(): boolean {
    return this.#ws.readyState === this.#ws.OPEN;
  }

  /** What is sent to a closed socket is dropped: its reader has gone and will resume from its cursor. */
  send(text: string): void {
    if (!this.open) return;
    if (this.buffered > SOCKET_BYTES_MAX) return this.#ws.terminate();
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(this.#uncork);
    }
    this.#socket.write(frameOf(text));
  }

  /** Undefined when there is room already; else resolves when there is, or the socket has closed, or `signal` aborts. */
  room(signal: AbortSignal): Promise<void> | undefined {
    if (this.buffered < SEND_AHEAD_BYTES_MAX || !this.open) return undefined;
    return once((wake) => {
      this.#socket.once('drain', wake);
      this.#socket.once('close', wake);
      return () => {
        this.#socket.off('drain', wake);
        this.#socket.off('close', wake);
      };
    }, signal);
  }

  /** Takes nothing more from a client that does not take what it is sent, until it has. */
  holdInput(): void {
    if (this.#held || this.buffered < SEND_AHEAD_BYTES_MAX || !this.open) return;
    this.#held = true;
    this.#ws.pause();
    this.#socket.once('drain', () => {
      this.#held = false;
      this.#ws.resume();
    });
  }

  close(code: number, reason: string): void {
    this.#ws.close(code, reason);
  }

  readonly #uncork = (): void => {
    this.#corked = false;
    this.#socket.uncork();
  };
}

/** RFC 6455 5.2: a whole text message in one frame, unmasked, as a server sends it. */
function frameOf(text: string): Buffer {
  const bytes = Buffer.byteLength(text);
  const head = bytes < 126 ? 2 : bytes < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + bytes);
  frame[0] = 0x81;
  if (head === 2) frame[1] = bytes;
  else if (head === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(bytes, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(bytes), 2);
  }
  frame.write(text, head);
  return frame;
}
