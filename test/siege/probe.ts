/**
 * Asks one address again and again over a connection that is kept, and knows how long each answer took. A connection that was lost is
 * opened anew; one that is refused counts as a reconnect and not as deafness.
 */
import { HttpConnection } from '../bench/http-connection.ts';

/** Waits that are looked back upon: some ten seconds of them. */
const KEPT_MAX = 500;
const RECONNECT_MS = 50;

interface Wait {
  readonly from: number;
  readonly to: number;
}

export class Probe {
  readonly #port: number;
  readonly #request: string;
  readonly #everyMs: number;
  readonly #onWait: (wait: Wait) => void;
  readonly #waits: Wait[] = [];
  #since: number | undefined;
  reconnects = 0;

  constructor(port: number, path: string, everyMs: number, onWait: (wait: Wait) => void = () => undefined) {
    this.#port = port;
    this.#request = `GET ${path} HTTP/1.1\r\nhost: siege\r\n\r\n`;
    this.#everyMs = everyMs;
    this.#onWait = onWait;
  }

  async run(signal: AbortSignal): Promise<void> {
    let connection: HttpConnection | undefined;
    signal.addEventListener('abort', () => connection?.close(), { once: true });
    while (!signal.aborted) {
      try {
        const from = performance.now();
        this.#since = from;
        connection ??= await HttpConnection.open(this.#port);
        await connection.send(this.#request);
        const wait = { from, to: performance.now() };
        this.#waits.push(wait);
        if (this.#waits.length > KEPT_MAX) this.#waits.shift();
        this.#onWait(wait);
      } catch {
        connection?.close();
        connection = undefined;
        this.reconnects += 1;
        await pause(RECONNECT_MS);
      }
      this.#since = undefined;
      await pause(this.#everyMs);
    }
    connection?.close();
  }

  /** The wait that is not over yet. */
  get open(): Wait | undefined {
    return this.#since === undefined ? undefined : { from: this.#since, to: performance.now() };
  }

  /** The longest wait of those that overlap with this one. */
  longestWithin({ from, to }: Wait): number {
    const all = this.open === undefined ? this.#waits : [...this.#waits, this.open];
    return all.reduce(
      (longest, wait) =>
        wait.to < from || wait.from > to ? longest : Math.max(longest, wait.to - wait.from),
      0,
    );
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
