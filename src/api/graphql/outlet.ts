/**
 * The sending side of one socket. What is sent in one turn of the event loop leaves in one write (the socket is corked
 * until the turn's promises have run). `send` never waits for a write; whoever sends much asks `room()` in between.
 *
 * A message is framed here and written as one buffer: ws writes head and payload apart, which costs half as much again
 * when a thousand followers are sent a small event each. ws's own frames (close, ping, pong) keep their order with ours,
 * since without compression it holds nothing back. A large payload is written by itself, since others wait for the same bytes.
 */
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { Semaphore } from '../../kernel/semaphore.ts';
import { once } from '../../kernel/tail.ts';
import { SEND_AHEAD_BYTES_MAX, SOCKET_BYTES_MAX } from './limits.ts';
import { type Outflow, takenFrom } from './outflow.ts';
import type { Outgoing } from './outgoing.ts';
import type { Payload, SharedText } from './payload.ts';

/** Why nothing is taken from a socket: it does not take what it is sent, messages of it wait for their turn, or operations wait to begin. */
type Hold = 'unread' | 'turn' | 'operations';

const TAIL = Buffer.from('}');

export class Outlet implements Outflow {
  /** Whose it is: set when that is known. */
  owner: string | undefined;
  /** Held by the one subscription of this socket that is making a frame of its history. */
  readonly turn = new Semaphore(1);
  readonly #ws: WebSocket;
  readonly #socket: Socket;
  readonly #outgoing: Outgoing;
  readonly #forget: () => void;
  /** Those who wait for room: one listener for all, however many there are. */
  readonly #waiting = new Set<() => void>();
  #sharedBytes = 0;
  /** Of what it shares and has not taken: what gives up its part. */
  readonly #shares = new Set<() => void>();
  #corked = false;
  readonly #holds = new Set<Hold>();
  /** How many of its operations wait to begin. */
  #pauses = 0;

  constructor(ws: WebSocket, socket: Socket, outgoing: Outgoing) {
    this.#ws = ws;
    this.#socket = socket;
    this.#outgoing = outgoing;
    this.#forget = outgoing.add(this);
    socket.on('drain', () => this.#wake());
    socket.once('close', () => {
      this.#forget();
      this.#wake();
    });
  }

  /** Bytes that the other side has not taken yet. */
  get buffered(): number {
    return this.#ws.bufferedAmount;
  }

  get pending(): number {
    return this.buffered;
  }

  get own(): number {
    return this.buffered - this.#sharedBytes;
  }

  get taken(): number {
    return takenFrom(this.#socket);
  }

  get open(): boolean {
    return this.#ws.readyState === this.#ws.OPEN;
  }

  /** It does not read: what waits for it is dropped, and it resumes from its cursors. */
  end(): void {
    for (const release of this.#shares) release(); // now, so that what this frees is known when the next one is judged
    this.#ws.terminate();
  }

  /** What is sent to a closed socket is dropped: its reader has gone and will resume from its cursor. */
  send(text: string): void {
    if (!this.#mayWrite(text.length)) return;
    this.#socket.write(frameOf(text));
  }

  /** `{head}{payload}}` as one message. */
  sendNext(head: string, payload: Payload): void {
    if (typeof payload === 'string') return this.send(`${head}${payload}}`);
    if (!this.#mayWrite(0)) return;
    const { length } = payload.bytes;
    const start = Buffer.from(head);
    this.#socket.write(Buffer.concat([headOf(start.length + length + TAIL.length), start]));
    this.#share(payload);
    this.#socket.write(TAIL);
  }

  /** Undefined when there is room already; else resolves when there is, or the socket has closed, or `signal` aborts. */
  room(signal: AbortSignal): Promise<void> | undefined {
    if (this.buffered < SEND_AHEAD_BYTES_MAX || !this.open) return undefined;
    return once((wake) => {
      this.#waiting.add(wake);
      return () => this.#waiting.delete(wake);
    }, signal);
  }

  /** Takes nothing more from a client that does not take what it is sent, until it has. */
  holdUnread(): void {
    if (this.buffered >= SEND_AHEAD_BYTES_MAX && this.open) this.holdInput('unread');
  }

  /** Takes nothing more from it until what holds it is released. */
  holdInput(why: Hold): void {
    if (this.#holds.size === 0) this.#ws.pause();
    this.#holds.add(why);
  }

  releaseInput(why: Hold): void {
    if (this.#holds.delete(why) && this.#holds.size === 0) this.#ws.resume();
  }

  /** Takes nothing more from the client until what this answers is called. */
  pauseInput(): () => void {
    this.#pauses += 1;
    this.holdInput('operations');
    return () => {
      this.#pauses -= 1;
      if (this.#pauses === 0) this.releaseInput('operations');
    };
  }

  close(code: number, reason: string): void {
    this.#ws.close(code, reason);
  }

  /** Corks, so that all of this turn leaves in one write. */
  #mayWrite(bytes: number): boolean {
    if (!this.open) return false;
    if (this.buffered > SOCKET_BYTES_MAX) {
      this.#ws.terminate();
      return false;
    }
    this.#outgoing.sent(bytes, this.owner);
    if (!this.open) return false; // it was one of those who leave too much unread
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(this.#uncork);
    }
    return true;
  }

  #share(payload: SharedText): void {
    const { length } = payload.bytes;
    const unhold = payload.hold(this.#outgoing);
    this.#sharedBytes += length;
    const release = (): void => {
      if (!this.#shares.delete(release)) return;
      this.#sharedBytes -= length;
      unhold();
    };
    this.#shares.add(release);
    this.#socket.write(payload.bytes, release);
  }

  #wake(): void {
    this.releaseInput('unread');
    for (const wake of this.#waiting) wake();
  }

  readonly #uncork = (): void => {
    this.#corked = false;
    this.#socket.uncork();
  };
}

/** RFC 6455 5.2: a whole text message in one frame, unmasked, as a server sends it. */
function frameOf(text: string): Buffer {
  const bytes = Buffer.byteLength(text);
  const head = headBytes(bytes);
  const frame = Buffer.allocUnsafe(head + bytes);
  writeHead(frame, bytes);
  frame.write(text, head);
  return frame;
}

function headOf(bytes: number): Buffer {
  const head = Buffer.allocUnsafe(headBytes(bytes));
  writeHead(head, bytes);
  return head;
}

function headBytes(bytes: number): number {
  return bytes < 126 ? 2 : bytes < 65_536 ? 4 : 10;
}

function writeHead(frame: Buffer, bytes: number): void {
  frame[0] = 0x81;
  if (bytes < 126) frame[1] = bytes;
  else if (bytes < 65_536) {
    frame[1] = 126;
    frame.writeUInt16BE(bytes, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(bytes), 2);
  }
}
