/**
 * What one socket has sent and what has not been begun yet. ws hands over all messages of a read at once, and a read holds hundreds; each
 * is a piece of work of its own here, so that sockets take turns (kernel/time-slices.ts).
 *
 * MAILBOX-1 A socket that has messages waiting is not read. More than WAITING_MAX of them, which only one read can bring, end it.
 * MAILBOX-2 Of the pings that wait, the newest is answered (RFC 6455 5.5.3): a read holds ten thousand, and an answer is a write.
 */
import { CLOSE } from './close-code.ts';
import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import type { TimeSlices } from '../../kernel/time-slices.ts';
import { SEND_AHEAD_BYTES_MAX } from './limits.ts';
import type { Outlet } from './outlet.ts';

/** Begun one after the other: a console that opens all of its operations at once sends a hundred, and as many when it ends them. */
export const WAITING_MAX = 512;

export interface MailboxPorts {
  readonly ws: WebSocket;
  readonly socket: Duplex;
  readonly outlet: Outlet;
  readonly slices: TimeSlices;
  /** Begins with one; must not throw. */
  take(data: RawData): void;
}

export class Mailbox {
  readonly #ports: MailboxPorts;
  #messages: RawData[] = [];
  #ping: Buffer | undefined;

  constructor(ports: MailboxPorts) {
    this.#ports = ports;
  }

  message(data: RawData): void {
    const { slices, socket, outlet } = this.#ports;
    if (this.#messages.length >= WAITING_MAX) {
      this.#messages = []; // MAILBOX-1
      outlet.close(CLOSE.tooMany, `Send at most ${WAITING_MAX} messages at once.`);
      return;
    }
    this.#messages.push(data);
    slices.run(socket, this.#takeNext);
    if (this.#messages.length > 0) outlet.holdInput('turn');
  }

  ping(data: Buffer): void {
    const isWaiting = this.#ping !== undefined;
    this.#ping = data; // MAILBOX-2
    if (!isWaiting) this.#ports.slices.run(this.#ports.socket, this.#answerPing);
  }

  readonly #takeNext = (): void => {
    const { outlet, take } = this.#ports;
    const data = this.#messages.shift();
    if (this.#messages.length === 0) outlet.releaseInput('turn');
    if (data !== undefined && outlet.open) take(data); // it may have closed, or been closed, meanwhile
  };

  readonly #answerPing = (): void => {
    const { ws, outlet } = this.#ports;
    const data = this.#ping;
    this.#ping = undefined;
    if (outlet.open && outlet.buffered < SEND_AHEAD_BYTES_MAX) ws.pong(data);
  };
}
