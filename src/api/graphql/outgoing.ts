/**
 * What this process holds for its readers: bytes that wait to be taken, on sockets and in HTTP answers, and what operations have
 * read for answers that are being made. The sum is exact once a second, and whenever what was added since then could be too much.
 *
 * OUTGOING-1 all that waits for readers and is being made for them is at most OUTGOING_BYTES_MAX: over it, those who have most unread
 *    are ended until it is three quarters; an operation is refused UNAVAILABLE where that would not make room for it.
 * OUTGOING-2 a reader that takes nothing for RESPONSE_STALL_MS, though there is something for it, is ended.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from '../../kernel/logger.ts';
import { Outage } from '../../kernel/outage.ts';

/** All that waits for readers, and all that is being made for them: a part of what a small machine has. */
const OUTGOING_BYTES_MAX = 128 * 1024 * 1024;
/** A reader that takes nothing for so long has gone, or wants to hold our memory: a slow line takes something. */
const RESPONSE_STALL_MS = 30_000;
/** Readers are looked at so often. */
const LOOK_MS = 1_000;
/** Refusals are told to the operator so often: an attack makes many in a second. */
const TOLD_MS = 60_000;
/** Of OUTGOING_BYTES_MAX, what is left when readers were ended: so that it is not the next frame that ends the next one. */
const GOAL = 0.75;
/** Ending who leaves less than this unread frees nothing, and a slow line leaves as much. */
const WORTH_BYTES_MIN = 64 * 1024;

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

/** It is in the log already (TOLD_MS): who shows it need not write it there. */
export class OutgoingFull extends Outage {
  constructor() {
    super(
      'OUTGOING_FULL',
      'This server holds as many unread answers as it may. Read what you have asked for, or try again.',
    );
  }
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
  #refused = 0;
  #toldAt = Number.NEGATIVE_INFINITY;
  readonly #responses = new WeakMap<ServerResponse, ResponseFlow>();
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
    const flow = new ResponseFlow(response);
    this.#responses.set(response, flow);
    response.once('close', this.add(flow));
  }

  /** So many bytes of this answer are in memory anyway, whoever waits for them. */
  sharedIn(response: ServerResponse, bytes: number): void {
    const flow = this.#responses.get(response);
    if (flow !== undefined) flow.sharedBytes = bytes;
  }

  /** This answer is made piece by piece, as it is read: until it is over it holds so many bytes beside what is written. */
  heldFor(response: ServerResponse, bytes: number): void {
    const flow = this.#responses.get(response);
    if (flow === undefined) return;
    flow.heldBytes = bytes;
    this.sent(bytes);
  }

  /** Something of so many bytes is about to be written to a reader. */
  sent(bytes: number): void {
    this.#waiting += bytes;
    if (this.#sum <= this.#bytesMax) return;
    this.#waiting = this.#count() + bytes;
    if (this.#sum <= this.#bytesMax) return;
    this.#relieve(bytes);
    this.#waiting += bytes;
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
    if (this.#sum + bytes > this.#bytesMax) {
      this.#waiting = this.#count();
      const isInVain = this.#making + bytes > this.#bytesMax; // whoever is ended
      if (!isInVain && this.#sum + bytes > this.#bytesMax) this.#relieve(bytes);
      if (this.#sum + bytes > this.#bytesMax) {
        this.#tellRefusal();
        throw new OutgoingFull();
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

  /** As far as is known without counting. */
  get #sum(): number {
    return this.#waiting + this.#shared + this.#making;
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
    if (this.#sum > this.#bytesMax) this.#relieve(0);
  }

  /** OUTGOING-1. `more`: bytes that are about to come. What readers share is free when the last of them has gone. */
  #relieve(more: number): void {
    const most = [...this.#readers.keys()].map((reader) => {
      const { own, pending } = reader;
      return { reader, own, pending };
    });
    most.sort((one, other) => other.own - one.own || other.pending - one.pending);
    let waiting = this.#count();
    for (const { reader, own, pending } of most) {
      if (waiting + this.#shared + this.#making + more <= this.#bytesMax * GOAL) break;
      if (pending < WORTH_BYTES_MIN) continue;
      waiting -= own;
      this.#end(reader, 'readers leave too much unread');
    }
    this.#waiting = waiting;
  }

  #tellRefusal(): void {
    this.#refused += 1;
    const now = performance.now();
    if (now - this.#toldAt < TOLD_MS) return;
    const { held: heldBytes } = this;
    this.#logger.warn('operations are refused: readers leave too much unread', {
      heldBytes,
      refused: this.#refused,
    });
    this.#toldAt = now;
    this.#refused = 0;
  }

  #end(reader: Outflow, why: string): void {
    this.#logger.warn('a reader was ended', { why, pendingBytes: reader.pending });
    this.#readers.delete(reader);
    reader.end();
  }
}

class ResponseFlow implements Outflow {
  readonly #response: ServerResponse;
  sharedBytes = 0;
  heldBytes = 0;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  get pending(): number {
    return this.#response.writableLength + this.heldBytes;
  }

  get own(): number {
    return Math.max(0, this.pending - this.sharedBytes);
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
