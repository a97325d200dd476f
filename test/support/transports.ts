/** One operation over each transport of the GraphQL door, answered in one form. */
import { type Client, createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { Answer, Door } from './door.ts';
import type { Asked } from './root-fields.ts';

/** `http`: POST, and SSE for a subscription. */
export type Transport = 'http' | 'get' | 'socket';

export interface Reply {
  /** Of HTTP. */
  readonly status?: number;
  /** Of a subscription the first frame. */
  readonly data?: Answer;
  readonly errors?: Answer;
  /** The code with which a socket was closed. */
  readonly closed?: number;
}

export class Transports {
  readonly #door: Door;
  /** Of keys, which are used again; a client token has a socket for each operation. */
  readonly #clients = new Map<string, Client>();

  constructor(door: Door) {
    this.#door = door;
  }

  async close(): Promise<void> {
    for (const client of this.#clients.values()) await client.dispose();
  }

  ask(bearer: string | null, transport: Transport, asked: Asked): Promise<Reply> {
    if (transport === 'socket') return this.#overSocket(bearer, asked);
    if (asked.query.startsWith('subscription')) return this.#firstOfStream(bearer, asked);
    return transport === 'get' ? this.#get(bearer, asked) : this.#post(bearer, asked);
  }

  async #post(bearer: string | null, { query, variables }: Asked): Promise<Reply> {
    const { status, body } = await this.#door.post(query, variables, bearer);
    return { status, ...body };
  }

  async #get(bearer: string | null, { query, variables }: Asked): Promise<Reply> {
    const parameters = new URLSearchParams({ query, variables: JSON.stringify(variables) });
    const response = await fetch(`${this.#door.url}?${parameters}`, { headers: headersOf(bearer) });
    const body: Answer = await response.json();
    return { status: response.status, ...body };
  }

  async #overSocket(bearer: string | null, { query, variables }: Asked): Promise<Reply> {
    const isOnce = bearer === null || bearer.startsWith('hct_') || bearer.startsWith('hut_');
    const client = (isOnce ? undefined : this.#clients.get(bearer)) ?? this.#clientOf(bearer);
    if (!isOnce) this.#clients.set(bearer, client);
    const frames = client.iterate({ query, variables });
    try {
      const { value } = await frames.next();
      return { ...value };
    } catch (error) {
      if (Array.isArray(error)) return { errors: error };
      const { code } = error as { code?: number }; // as: graphql-ws throws errors or how the socket closed
      if (code === undefined) throw error;
      return { closed: code };
    } finally {
      await frames.return?.();
      if (isOnce) await client.dispose();
    }
  }

  #clientOf(bearer: string | null): Client {
    return createClient({
      url: this.#door.socketUrl,
      webSocketImpl: WebSocket,
      connectionParams: headersOf(bearer),
      retryAttempts: 0,
    });
  }

  async #firstOfStream(bearer: string | null, { query, variables }: Asked): Promise<Reply> {
    const over = new AbortController();
    const response = await fetch(this.#door.url, {
      method: 'POST',
      signal: over.signal,
      headers: {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        ...headersOf(bearer),
      },
      body: JSON.stringify({ query, variables }),
    });
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      if (/^data: .*\n\n/m.test(text)) break;
    }
    over.abort();
    const body: Answer = JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? text);
    return { status: response.status, ...body };
  }
}

function headersOf(bearer: string | null): Record<string, string> {
  return bearer === null ? {} : { authorization: `Bearer ${bearer}` };
}
