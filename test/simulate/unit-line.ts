/**
 * HTTP between a brain and the unit endpoint without sockets: what the brain sends reaches the real door as a request, what the
 * door writes reaches the brain's real client in the same order, and connections are cut. Both ends die with their nodes.
 */
import { EventEmitter } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Http, HttpResponse } from '../../src/brain/unix-http.ts';
import type { Rates } from './faults.ts';
import type { SimNode } from './node.ts';
import type { World } from './world.ts';

export interface UnitLinePorts {
  readonly world: World;
  readonly brain: SimNode;
  readonly server: SimNode;
  readonly door: Server;
  readonly rates: () => Rates;
  /** The connections of the server, to be cut. */
  readonly open: Set<{ cut(): void }>;
}

/** As node:http says it. */
class Reset extends Error {
  readonly code = 'ECONNRESET';
}

export function unitLine(ports: UnitLinePorts): Http {
  const { world, brain, server, door, rates, open } = ports;
  return ({ method, path, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      if (!brain.alive) return;
      const { dice } = world;
      const stream = new Stream();
      const gone = new EventEmitter();
      let isOver = false;
      const close = (): void => {
        if (isOver) return;
        isOver = true;
        open.delete(connection);
        signal.removeEventListener('abort', abort);
        world.schedule(server, dice.between(0.05, 1), () => gone.emit('close'));
      };
      const fail = (error: Error): void => {
        close();
        stream.fail(error);
        reject(error);
      };
      const abort = (): void => fail(new DOMException('This operation was aborted', 'AbortError'));
      const connection = {
        cut: () => void world.schedule(brain, 0, () => fail(new Reset('connection cut'))),
      };
      if (signal.aborted) return abort();
      signal.addEventListener('abort', abort, { once: true });
      open.add(connection);
      if (dice.hits(rates().dropped)) {
        connection.cut();
        if (dice.hits(0.5)) return; // before it arrived; otherwise it is carried out, and nobody hears how
      }
      let arrivesAt = 0;
      /** In the order in which it was written. */
      const toBrain = (deliver: () => void): void => {
        arrivesAt = Math.max(arrivesAt, world.now + dice.between(0.05, 1));
        world.scheduleAt(brain, arrivesAt, deliver);
      };
      const response = new DoorResponse(gone, {
        head: (status, answered) =>
          toBrain(() => resolve({ status, headers: answered, body: stream } satisfies HttpResponse)),
        chunk: (text) => toBrain(() => stream.push(text)),
        end: () =>
          toBrain(() => {
            stream.end();
            close();
          }),
        destroy: () => toBrain(() => fail(new Reset('connection destroyed'))),
      });
      const request = new DoorRequest({ method, url: path, headers: headers ?? {} }, body);
      world.schedule(server, dice.between(0.05, 1), () => {
        // The door uses of both what these two have.
        door.emit('request', request as unknown as IncomingMessage, response as unknown as ServerResponse);
      });
    });
}

class DoorRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly #body: string | undefined;
  #onData: (chunk: Buffer) => void = () => undefined;

  constructor(
    head: { method: string; url: string; headers: Readonly<Record<string, string>> },
    body: string | undefined,
  ) {
    this.method = head.method;
    this.url = head.url;
    this.headers = head.headers;
    this.#body = body;
  }

  on(event: string, listener: (chunk: Buffer) => void): this {
    if (event === 'data') this.#onData = listener;
    return this;
  }

  once(event: string, listener: () => void): this {
    if (event === 'end')
      queueMicrotask(() => {
        if (this.#body !== undefined) this.#onData(Buffer.from(this.#body));
        listener();
      });
    return this;
  }

  pause(): this {
    return this;
  }
}

interface Outlet {
  head(status: number, headers: Readonly<Record<string, string>>): void;
  chunk(text: string): void;
  end(): void;
  destroy(): void;
}

class DoorResponse {
  headersSent = false;
  readonly writableNeedDrain = false;
  readonly #gone: EventEmitter;
  readonly #outlet: Outlet;
  readonly #headers: Record<string, string> = {};

  constructor(gone: EventEmitter, outlet: Outlet) {
    this.#gone = gone;
    this.#outlet = outlet;
  }

  on(event: string, listener: () => void): this {
    this.#gone.on(event, listener);
    return this;
  }

  once(event: string, listener: () => void): this {
    this.#gone.once(event, listener);
    return this;
  }

  setHeader(name: string, value: string): this {
    this.#headers[name] = value;
    return this;
  }

  off(event: string, listener: () => void): this {
    this.#gone.off(event, listener);
    return this;
  }

  writeHead(status: number, headers: Readonly<Record<string, string>> = {}): this {
    this.headersSent = true;
    this.#outlet.head(status, { ...this.#headers, ...headers });
    return this;
  }

  write(text: string): boolean {
    this.#outlet.chunk(text);
    return true;
  }

  end(text?: string): this {
    if (text !== undefined) this.#outlet.chunk(text);
    this.#outlet.end();
    return this;
  }

  destroy(): this {
    this.#outlet.destroy();
    return this;
  }
}

/** The body of an answer as the brain reads it. */
class Stream implements AsyncIterable<Uint8Array> {
  readonly #chunks: Uint8Array[] = [];
  #ended = false;
  #failure: Error | undefined;
  #wake: () => void = () => undefined;

  push(text: string): void {
    this.#chunks.push(Buffer.from(text));
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  fail(failure: Error): void {
    this.#failure ??= failure;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) yield chunk;
      else if (this.#failure !== undefined) throw this.#failure;
      else if (this.#ended) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}
