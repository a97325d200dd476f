/**
 * The sending side of one socket. What is sent in one turn of the event loop leaves in one write (the socket is corked
 * until the turn's promises have run). `send` never waits for a write; whoever sends much asks `room()` in between.
 */
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { once } from '../../kernel/tail.ts';
import { SEND_AHEAD_BYTES_MAX } from './limits.ts';

export class Outlet {
  readonly #ws: WebSocket;
  readonly #socket: Duplex;
  #corked = false;

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
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(this.#uncork);
    }
    this.#ws.send(text, ignore);
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

  close(code: number, reason: string): void {
    this.#ws.close(code, reason);
  }

  readonly #uncork = (): void => {
    this.#corked = false;
    this.#socket.uncork();
  };
}

/** A failed write closes the socket, and that is handled where it closes. */
function ignore(): void {}
