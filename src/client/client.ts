/**
 * The typed client of the command line and the demo, and an example of one: 200 lines over fetch and graphql-ws.
 *
 * `request` sends one operation. `follow` gives the frames of a session and survives dropped sockets and restarts of the
 * server: it comes back from the last cursor, so each event is given once and in order.
 */
import { createClient as createSocketClient, type Client as SocketClient } from 'graphql-ws';
import { Follow, type Frame } from './follow.ts';
import type { SessionEventsSubscriptionVariables, TypedDocumentString } from './generated/graphql.ts';
import { RequestRefused } from './refusal.ts';

/** A socket that does not answer a ping within this long is given up. */
const PONG_WAIT_MS = 5_000;
const PING_INTERVAL_MS = 10_000;

export interface ClientOptions {
  /** Of the server, for example http://localhost:4000/graphql. */
  readonly url: string;
  /** An API key or a client token. */
  readonly key: string;
}

export interface Client {
  /** The data. Throws RequestRefused when the server answers with errors, and what fetch throws when it does not answer. */
  request<Result, Variables>(
    document: TypedDocumentString<Result, Variables>,
    variables: Variables,
  ): Promise<Result>;
  /**
   * The frames of a session, until it is gone or `signal` aborts. Throws RequestRefused when the server will not have us.
   * CaughtUp comes once; SlowConsumer never comes, since following goes on by itself.
   */
  follow(
    what: SessionEventsSubscriptionVariables,
    signal?: AbortSignal,
  ): AsyncIterableIterator<Frame, undefined>;
  close(): Promise<void>;
}

export function connect({ url, key }: ClientOptions): Client {
  const socket = openSocket(url, key);
  const follows = new Set<Follow>();
  return {
    request: (document, variables) => request(url, key, document.toString(), variables),
    follow(what, signal) {
      const follow = new Follow(socket, what, () => follows.delete(follow), signal);
      follows.add(follow);
      return follow;
    },
    async close() {
      for (const follow of follows) await follow.return();
      await socket.dispose();
    },
  };
}

async function request<Result>(url: string, key: string, query: string, variables: unknown): Promise<Result> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/graphql-response+json, application/json',
      authorization: `Bearer ${key}`,
    },
    body: JSON.stringify({ query, variables }),
  });
  const answer = await parsed(response);
  const [error] = answer.errors ?? [];
  if (error !== undefined)
    throw new RequestRefused(error.message, error.extensions?.code ?? 'UNKNOWN', response.status);
  return answer.data as Result; // as: the document was typed from the server's own schema
}

interface Answer {
  readonly data?: unknown;
  readonly errors?: readonly { readonly message: string; readonly extensions?: { readonly code?: string } }[];
}

async function parsed(response: Response): Promise<Answer> {
  const text = await response.text();
  try {
    return JSON.parse(text) as Answer; // as: GraphQL over HTTP
  } catch (cause) {
    throw new Error(
      `The server answered ${response.status} and no JSON. Is there a Holdfast at ${response.url}?`,
      { cause },
    );
  }
}

/** One socket for all follows; it opens with the first and closes after the last. It never retries: each follow does. */
function openSocket(url: string, key: string): SocketClient {
  let pong: NodeJS.Timeout | undefined;
  const client = createSocketClient({
    url: url.replace(/^http/, 'ws'),
    connectionParams: { authorization: `Bearer ${key}` },
    retryAttempts: 0,
    keepAlive: PING_INTERVAL_MS,
    on: {
      ping: (received) => {
        if (!received) pong = setTimeout(() => client.terminate(), PONG_WAIT_MS);
      },
      pong: () => clearTimeout(pong),
      closed: () => clearTimeout(pong),
    },
  });
  return client;
}
