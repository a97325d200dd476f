/**
 * Bodies of requests: what has come of them, from its arrival until the answer is over, since a parsed body lives that long.
 *
 * INCOMING-1 All bodies of requests under way are together at most INCOMING_BYTES_MAX: over it, the requests that have brought most are
 *    ended until it is three quarters, UNAVAILABLE (503) where no answer has begun. Small ones go on.
 */
import { IncomingMessage, type ServerResponse } from 'node:http';
import type { Logger } from '../kernel/logger.ts';
import { Outage } from '../kernel/outage.ts';
import { retryAfterSeconds } from './fault-table.ts';
import { rawAnswer } from './response-headers.ts';

/** Bytes of bodies at once: a body, its text and what is parsed of it are some four times as much. */
const INCOMING_BYTES_MAX = 64 * 1024 * 1024;
/** Ended requests are told to the operator so often. */
const ENDED_LOG_MS = 60_000;

/** A request that says what comes of its body, whoever reads it and when. */
export class IncomingRequest extends IncomingMessage {
  /** Its client waits with the body until it is told to send it. */
  expectsContinue = false;
  /** Called before the bytes can be read. */
  onArrival: ((bytes: number) => void) | undefined;

  override push(chunk: Buffer | null, encoding?: BufferEncoding): boolean {
    if (chunk !== null) this.onArrival?.(chunk.length);
    return super.push(chunk, encoding);
  }
}

export interface IncomingOptions {
  readonly logger: Logger;
  /** For tests: INCOMING_BYTES_MAX. */
  readonly bytesMax?: number | undefined;
}

interface Arriving {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  bytes: number;
}

export class Incoming {
  readonly #logger: Logger;
  readonly #bytesMax: number;
  /** Those of which something has come. */
  readonly #arriving = new Set<Arriving>();
  #bytes = 0;
  #ended = 0;
  #loggedAt = Number.NEGATIVE_INFINITY;

  constructor({ logger, bytesMax = INCOMING_BYTES_MAX }: IncomingOptions) {
    this.#logger = logger;
    this.#bytesMax = bytesMax;
  }

  /** Until its answer is over. */
  add(request: IncomingRequest, response: ServerResponse): void {
    const arriving: Arriving = { request, response, bytes: 0 };
    const forget = (): void => {
      request.onArrival = undefined;
      this.#forget(arriving);
    };
    request.onArrival = (bytes) => {
      this.#arriving.add(arriving);
      arriving.bytes += bytes;
      this.#bytes += bytes;
      if (this.#bytes > this.#bytesMax) this.#relieve();
    };
    response.once('close', forget);
  }

  #forget(arriving: Arriving): void {
    if (this.#arriving.delete(arriving)) this.#bytes -= arriving.bytes;
  }

  /** INCOMING-1 */
  #relieve(): void {
    const most = [...this.#arriving].sort((one, other) => other.bytes - one.bytes);
    for (const arriving of most) {
      if (this.#bytes <= this.#bytesMax * 0.75) break;
      this.#forget(arriving);
      this.#end(arriving);
    }
  }

  #end({ request, response }: Arriving): void {
    const { socket } = request;
    this.#ended += 1;
    this.#log();
    // An answer of another request that has begun, or one that waits for its turn, leaves no place for this one.
    if (response.headersSent || response.socket !== socket || !socket.writable) socket.destroy();
    else socket.end(refusal(), () => socket.destroy());
  }

  #log(): void {
    const now = performance.now();
    if (now - this.#loggedAt < ENDED_LOG_MS) return;
    this.#loggedAt = now;
    this.#logger.warn('requests were ended: their bodies are larger than this server takes at once', {
      ended: this.#ended,
      bytesMax: this.#bytesMax,
    });
    this.#ended = 0;
  }
}

function refusal(): string {
  const outage = new Outage(
    'INCOMING_FULL',
    'This server reads as large requests as it may at once. Try again, or send less with each.',
  );
  const { code, message, retryAfterMs } = outage;
  return rawAnswer(
    '503 Service Unavailable',
    JSON.stringify({ errors: [{ message, extensions: { code, retryAfterMs } }] }),
    { 'content-type': 'application/json', 'retry-after': String(retryAfterSeconds(outage)) },
  );
}
