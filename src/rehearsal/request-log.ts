/** The last requests as they came, for tests that look at them; bounded, since a rehearsal may run for months. */
import type { IncomingHttpHeaders } from 'node:http';

export interface RehearsalRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}

/** A test looks at those of its own turns. */
const REQUESTS_KEPT = 1_000;
/** Of bodies: a thousand conversations near the limit of the service would fill any memory. The last one is always kept. */
const BYTES_KEPT = 32 * 1024 * 1024;

export class RequestLog {
  /** Oldest first. */
  readonly requests: RehearsalRequest[] = [];
  readonly #sizes: number[] = [];
  #bytes = 0;

  add(request: RehearsalRequest, bytes: number): void {
    this.requests.push(request);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
    while (this.requests.length > 1 && (this.requests.length > REQUESTS_KEPT || this.#bytes > BYTES_KEPT)) {
      this.requests.shift();
      this.#bytes -= this.#sizes.shift() ?? 0;
    }
  }
}
