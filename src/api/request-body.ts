/**
 * Reads the body of one request into one buffer.
 *
 * BODY-1 What is held of a body is at most twice its bytes, however small the pieces are that it comes in, and it comes in at most
 *    PIECES_MAX of them.
 * BODY-2 A body of which nothing more comes for `stallMs` is refused. Of one that is refused at most as much again is read, so that
 *    a client that still writes gets to the answer; then its connection ends.
 */
import type { IncomingMessage } from 'node:http';
import { GrowableBuffer } from '../kernel/growable-buffer.ts';

/** Two megabytes in pieces of 64 bytes: what writes as it goes, and a bad line, send larger ones. */
const PIECES_MAX = 32_768;

export type BodyFailure = 'too large' | 'too many pieces' | 'stalled' | 'gone';

/** The body cannot be had; each door says it in its own form. */
export class BodyRefused extends Error {
  readonly failure: BodyFailure;

  constructor(failure: BodyFailure, message: string) {
    super(message);
    this.failure = failure;
  }
}

export interface BodyOptions {
  readonly bytesMax: number;
  /** How long nothing may come. Absent: as long as the request may take. */
  readonly stallMs?: number | undefined;
  /** Told how much more is held. May refuse the body. */
  readonly onGrown?: (bytes: number) => void;
}

export class RequestBody {
  readonly #request: IncomingMessage;
  readonly #options: BodyOptions;
  readonly #buffer = new GrowableBuffer();
  #pieces = 0;
  #read = 0;
  #isRefused = false;
  #stall: NodeJS.Timeout | undefined;
  #fail: (error: Error) => void = () => undefined;

  constructor(request: IncomingMessage, options: BodyOptions) {
    this.#request = request;
    this.#options = options;
  }

  /** All of it. By events rather than as an async iterable, which costs more than all else that an append of a brain does. */
  read(): Promise<Buffer> {
    const { stallMs, bytesMax } = this.#options;
    const request = this.#request;
    return new Promise((resolve, reject) => {
      this.#fail = reject;
      let hasCome = false;
      const gone = (): void => {
        if (hasCome) return; // an error, with its stack, for each request that ends as it should costs more than reading its body
        clearTimeout(this.#stall);
        this.refuse(new BodyRefused('gone', 'The request ended before its body did.'));
      };
      if (request.destroyed) return gone(); // its events have been
      if (stallMs !== undefined) this.#stall = setTimeout(() => this.#stalled(stallMs), stallMs);
      request.once('error', gone);
      request.once('close', gone); // after its end it says nothing new
      request.once('end', () => {
        hasCome = true;
        clearTimeout(this.#stall);
        resolve(this.#buffer.take());
      });
      if (Number(request.headers['content-length']) > bytesMax) this.refuse(tooLarge(bytesMax));
      request.on('data', (piece: Buffer) => this.#take(piece));
    });
  }

  /** What has come is forgotten, and what still comes is not kept. */
  refuse(error: Error): void {
    this.#isRefused = true;
    this.#buffer.take();
    this.#fail(error);
  }

  #take(piece: Buffer): void {
    const { bytesMax, onGrown } = this.#options;
    this.#stall?.refresh();
    this.#read += piece.length;
    this.#pieces += 1;
    if (this.#isRefused) {
      if (this.#read > 2 * bytesMax || this.#pieces > 2 * PIECES_MAX) this.#request.destroy(); // BODY-2
      return;
    }
    if (this.#read > bytesMax) return this.refuse(tooLarge(bytesMax));
    if (this.#pieces > PIECES_MAX) {
      const message = `expected a body in at most ${PIECES_MAX} pieces. Write larger ones.`;
      return this.refuse(new BodyRefused('too many pieces', message)); // BODY-1
    }
    const { capacity } = this.#buffer;
    this.#buffer.append(piece); // BODY-1
    if (this.#buffer.capacity > capacity) onGrown?.(this.#buffer.capacity - capacity);
  }

  #stalled(stallMs: number): void {
    if (this.#isRefused) return void this.#request.destroy(); // BODY-2
    const message = `Nothing more of the body came for ${stallMs / 1_000} seconds. Send the request again.`;
    this.refuse(new BodyRefused('stalled', message));
    this.#stall?.refresh(); // as long again for who still writes
  }
}

function tooLarge(bytesMax: number): BodyRefused {
  return new BodyRefused('too large', `expected a body of at most ${bytesMax} bytes.`);
}
