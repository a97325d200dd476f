/**
 * How large the context is, in tokens: what the service metered last, and an estimate of what has come since. Without the
 * second half, one answer with many tool results would go past the window before anybody had counted it.
 */

/** English and code have three to four bytes in a token. What is denser is caught when the service refuses it. */
const BYTES_PER_TOKEN = 4;

export function tokensOfBytes(bytes: number): number {
  return Math.ceil(bytes / BYTES_PER_TOKEN);
}

export class ContextSize {
  readonly #fixedBytes: number;
  #meteredTokens = 0;
  #meteredCallId: string | undefined;
  #bytesSince: number;

  /** `fixed` is in every request. */
  constructor(fixed: string) {
    this.#fixedBytes = Buffer.byteLength(fixed);
    this.#bytesSince = this.#fixedBytes;
  }

  /** With `coming`, which the next call adds. */
  tokensWith(coming: readonly { readonly text: string }[]): number {
    const bytes = coming.reduce((sum, { text }) => sum + Buffer.byteLength(text), this.#bytesSince);
    return this.#meteredTokens + tokensOfBytes(bytes);
  }

  add(text: string): void {
    this.#bytesSince += Buffer.byteLength(text);
  }

  /** A call was metered: its request is everything that was added so far, and its answer is in the count. */
  meter(callId: string, tokens: number): void {
    this.#meteredTokens = tokens;
    this.#meteredCallId = callId;
    this.#bytesSince = 0;
  }

  isMetered(callId: string): boolean {
    return this.#meteredCallId === callId;
  }

  /** The conversation was replaced by `summary`. */
  restart(summary: string): void {
    this.#meteredTokens = 0;
    this.#bytesSince = this.#fixedBytes;
    this.add(summary);
  }
}
