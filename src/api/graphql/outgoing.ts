/**
 * What this process holds for its readers: bytes that wait to be taken, on sockets and in HTTP answers, and what operations have
 * read for answers that are being made. The sum is exact once a second, and whenever what was added since then could be too much.
 *
 * OUTGOING-1 all that waits for readers is at most OUTGOING_BYTES_MAX: over it, those who have most unread are ended until it is
 *    three quarters; an operation that would bring it there is refused UNAVAILABLE.
 * OUTGOING-2 a reader that takes nothing for RESPONSE_STALL_MS, though there is something for it, is ended.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from '../../kernel/logger.ts';
import { Outage } from '../../kernel/outage.ts';

/** All that waits for readers, and all that is being made for them: a part of what a small machine has. */
const OUTGOING_BYTES_MAX = 256 * 1024 * 1024;
/** A reader that takes nothing for so long has gone, or wants to hold our memory: a slow line takes something. */
const RESPONSE_STALL_MS = 30_000;
/** Readers are looked at so often. */
const LOOK_MS = 1_000;

/** One reader. */
export interface Outflow {
  /** Bytes that wait for it. */
  readonly pending: number;
  /** Those of them that wait for nobody else. */
  readonly own: number;
  /** Bytes that it has taken so far; any change will do. */
  readonly taken: number;
  end(): void;
}

export interface OutgoingOptions {
  readonly logger: Logger;
  /** For tests: OUTGOING_BYTES_MAX, RESPONSE_STALL_MS. */
  readonly bytesMax?: number | undefined;
  readonly stallMs?: number | undefined;
}

interface Seen {
  taken: number;
  at: number;
}

export class Outgoing {
  readonly #logger: Logger;
  readonly #bytesMax: number;
  readonly #stallMs: number;
  readonly #readers = new Map<Outflow, Seen>();
  /** What waited at the last look, and what was sent since. */
  #waiting = 0;
  #shared = 0;
  #making = 0;
  readonly #looking: NodeJS.Timeout;

  constructor({ logger, bytesMax = OUTGOING_BYTES_MAX, stallMs = RESPONSE_STALL_MS }: OutgoingOptions) {
    this.#logger = logger;
    this.#bytesMax = bytesMax;
    this.#stallMs = stallMs;
    this.#looking = setInterval(() => this.#look(), Math.min(LOOK_MS, stallMs)).unref();
  }

  /** Bytes held now. */
  get held(): number {
    return this.#count() + this.#shared + this.#making;
  }

  /** How many there are: for tests and for the operator. */
  get readers(): number {
    return this.#readers.size;
  }

  /** Until what it answers is called. */
  add(reader: Outflow): () => void {
    this.#readers.set(reader, { taken: reader.taken, at: performance.now() });
    return () => this.#readers.delete(reader);
  }

  /** An HTTP answer, until it is over. */
  addResponse(response: ServerResponse): void {
    response.once('close', this.add(new ResponseFlow(response)));
  }

  /** Something of so many bytes is about to be written to a reader. */
  sent(bytes: number): void {
    this.#waiting += bytes;
    if (this.#waiting + this.#shared <= this.#bytesMax) return;
    this.#waiting = this.#count() + bytes;
    if (this.#waiting + this.#shared > this.#bytesMax) this.#relieve();
  }

  /** One buffer that several readers wait for counts once. */
  share(bytes: number): void {
    this.#shared += bytes;
  }

  unshare(bytes: number): void {
    this.#shared -= bytes;
  }

  /** An operation has read so much for its answer. Throws Outage when that is too much for the process. */
  make(bytes: number): void {
    if (this.#waiting + this.#shared + this.#making + bytes > this.#bytesMax) {
      this.#waiting = this.#count();
      if (this.#waiting + this.#shared + this.#making + bytes > this.#bytesMax) {
        throw new Outage(
          'OUTGOING_FULL',
          'This server holds as many unread answers as it may. Read what you have asked for, or try again.',
        );
      }
    }
    this.#making += bytes;
  }

  made(bytes: number): void {
    this.#making -= bytes;
  }

  close(): void {
    clearInterval(this.#looking);
  }

  #count(): number {
    let bytes = 0;
    for (const reader of this.#readers.keys()) bytes += reader.own;
    return bytes;
  }

  #look(): void {
    const now = performance.now();
    let waiting = 0;
    for (const [reader, seen] of this.#readers) {
      const { pending, own, taken } = reader;
      waiting += own;
      if (pending === 0 || taken !== seen.taken) {
        seen.taken = taken;
        seen.at = now;
      } else if (now - seen.at >= this.#stallMs) this.#end(reader, 'a reader takes nothing'); // OUTGOING-2
    }
    this.#waiting = waiting;
  }

  /** OUTGOING-1 */
  #relieve(): void {
    const most = [...this.#readers.keys()].map((reader) => ({ reader, pending: reader.pending }));
    most.sort((one, other) => other.pending - one.pending);
    let bytes = this.#waiting + this.#shared;
    for (const { reader, pending } of most) {
      if (bytes <= this.#bytesMax * 0.75 || pending === 0) break;
      bytes -= pending;
      this.#end(reader, 'readers leave too much unread');
    }
    this.#waiting = Math.max(0, bytes - this.#shared);
  }

  #end(reader: Outflow, why: string): void {
    this.#logger.warn('a reader was ended', { why, pendingBytes: reader.pending });
    this.#readers.delete(reader);
    reader.end();
  }
}

class ResponseFlow implements Outflow {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  get pending(): number {
    return this.#response.writableLength;
  }

  get own(): number {
    return this.pending;
  }

  get taken(): number {
    return takenFrom(this.#response.socket);
  }

  end(): void {
    // One that waits behind another of its connection has no socket yet, and would be kept until it has.
    this.#response.req.socket.destroy();
  }
}

/** What the other side has taken of a socket, also of a write that is under way; -1 once it is closed. */
export function takenFrom(socket: Socket | null): number {
  if (socket === null) return -1;
  // as: net.Socket looks there itself, for its own timeout; without it, progress shows when a whole write is done
  const { _handle: handle } = socket as { readonly _handle?: { readonly writeQueueSize?: number } | null };
  return socket.bytesWritten - socket.writableLength - (handle?.writeQueueSize ?? 0);
}
