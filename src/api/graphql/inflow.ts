/**
 * The receiving side of one socket: what it may send before a message of it is complete. ws looks at the length of messages only, and
 * keeps of an unfinished one the whole reads that its fragments came in, pings and pongs in between included (ws/lib/receiver.js).
 *
 * INFLOW-1 Before it is known who it is, a socket may send UNKNOWN_BYTES_MAX in all, whatever they are; UNKNOWN_CROWDED_BYTES_MAX
 *    while all such sockets together hold UNKNOWN_TOTAL_BYTES_MAX. Afterwards an unfinished message holds at most
 *    UNFINISHED_BYTES_MAX, and control frames are CONTROL_BYTES_PER_SECOND_MAX. A socket that sends more is told so and ended.
 */
import { CLOSE } from './close-code.ts';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { REQUEST_BYTES_MAX } from '../../kernel/limit.ts';

const KIB = 1024;

/** All that a socket may send before we know who it is: a key or a token, what a client library puts beside it, a ping or two. */
export const UNKNOWN_BYTES_MAX = 68 * KIB;
/** Of all sockets of which we do not know that yet: ten thousand that begin at once, with a token of a kilobyte and a half each. */
export const UNKNOWN_TOTAL_BYTES_MAX = 16 * 1024 * KIB;
/** Of one of them, while there are so many bytes: room for a token, and for nothing that is sent to fill us. */
export const UNKNOWN_CROWDED_BYTES_MAX = 8 * KIB;
/** What a read costs at least, however few bytes it brings. */
const READ_COST_BYTES = 256;
/** A message at its limit, the heads of its frames, and control frames in between. */
export const UNFINISHED_BYTES_MAX = REQUEST_BYTES_MAX + 64 * KIB;
/** Frames of one message: 2 MiB in the 8 KiB that client libraries send at once. */
export const FRAGMENTS_MAX = 256;
/** Reads of one unfinished frame: 2 MiB in packets of 512 bytes. Each is an object of ours. */
export const READS_MAX = 4_096;
/** Pings and pongs: honest clients send some in a minute, of a few bytes. This is five hundred of the longest in a second. */
export const CONTROL_BYTES_PER_SECOND_MAX = 64 * KIB;
/** A masked control frame without its payload (RFC 6455 5.2). */
const CONTROL_HEAD_BYTES = 6;

/** What the sockets of a server hold of which is not known yet who they are. */
export interface Crowd {
  bytes: number;
}

export interface InflowPorts {
  readonly ws: WebSocket;
  readonly socket: Socket;
  readonly crowd: Crowd;
  /** Tells it why it ends. */
  close(code: number, reason: string): void;
  /** Milliseconds of a clock that does not go back. */
  now(): number;
}

export class Inflow {
  readonly #ports: InflowPorts;
  #isKnown = false;
  #unknown = 0;
  #isComplete = false;
  /** Of the read that ws has just looked through. */
  #control = 0;
  /** Of the unfinished message: its own bytes, and of the control frames since it began. */
  #unfinished = 0;
  #between = 0;
  #secondBegan = Number.NEGATIVE_INFINITY;
  #thisSecond = 0;
  #wasUnfinished = false;
  #ended = false;

  /** To be made when ws listens to the socket already: what a read has completed is known when it is counted here. */
  constructor(ports: InflowPorts) {
    this.#ports = ports;
    const { ws, socket } = ports;
    ws.on('message', () => (this.#isComplete = true));
    ws.on('ping', this.#count);
    ws.on('pong', this.#count);
    socket.on('data', this.#take);
    socket.once('close', () => this.known());
  }

  /** It has said who it is, or is no more. */
  known(): void {
    this.#isKnown = true;
    this.#ports.crowd.bytes -= this.#unknown;
    this.#unknown = 0;
  }

  /** Whether the message that was unfinished when this was last asked still is, and it is not we who do not read. */
  isStuck(): boolean {
    const was = this.#wasUnfinished;
    this.#wasUnfinished = this.#unfinished > 0 && !this.#ports.ws.isPaused;
    return was && this.#wasUnfinished;
  }

  readonly #count = ({ length }: Buffer): void => {
    this.#control += CONTROL_HEAD_BYTES + length;
  };

  readonly #take = ({ length }: Buffer): void => {
    if (this.#ended) return;
    const control = this.#control;
    this.#control = 0;
    this.#follow(length, control);
    if (!this.#isKnown) this.#takeUnknown(length);
    else if (this.#unfinished > 0 && this.#unfinished + this.#between > UNFINISHED_BYTES_MAX) {
      this.#end(CLOSE.tooBig, `A message has at most ${REQUEST_BYTES_MAX} bytes.`);
    } else if (this.#inThisSecond(control) > CONTROL_BYTES_PER_SECOND_MAX) {
      this.#end(
        CLOSE.tooBig,
        `Send at most ${CONTROL_BYTES_PER_SECOND_MAX} bytes of pings and pongs a second.`,
      );
    }
  };

  /** Without control frames, so that pings of a year add up to nothing; a read that completes a message begins anew. */
  #follow(length: number, control: number): void {
    if (this.#isComplete) {
      this.#unfinished = 0;
      this.#wasUnfinished = false;
    } else this.#unfinished = Math.max(0, this.#unfinished + length - control);
    this.#between = this.#unfinished === 0 ? 0 : this.#between + control;
    this.#isComplete = false;
  }

  #takeUnknown(length: number): void {
    const { crowd } = this.#ports;
    const cost = Math.max(length, READ_COST_BYTES);
    this.#unknown += cost;
    crowd.bytes += cost;
    const isCrowded = crowd.bytes > UNKNOWN_TOTAL_BYTES_MAX;
    if (this.#unknown <= (isCrowded ? UNKNOWN_CROWDED_BYTES_MAX : UNKNOWN_BYTES_MAX)) return;
    this.#end(CLOSE.unauthenticated, 'Send connection_init first, and little else.');
  }

  #inThisSecond(control: number): number {
    if (control === 0) return 0;
    const now = this.#ports.now();
    if (now - this.#secondBegan >= 1_000) {
      this.#secondBegan = now;
      this.#thisSecond = 0;
    }
    return (this.#thisSecond += control);
  }

  /** INFLOW-1: nothing of it is kept from here on. What still comes is read and dropped, so that it can read why, until ws ends it. */
  #end(code: number, reason: string): void {
    const { socket, close } = this.#ports;
    this.#ended = true;
    close(code, reason);
    socket.removeAllListeners('data');
    socket.resume();
  }
}
