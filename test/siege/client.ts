/**
 * How a siege speaks to the server: over HTTP and over sockets, reading no more than it must and keeping almost nothing. Everything that it
 * hears is looked through for the key, and counted.
 */
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import type { Held } from './held.ts';
import type { KeyWatch } from './key-watch.ts';
import { ANSWER_BYTES_READ_MAX, ANSWER_CHARS_KEPT, ANSWER_MS_MAX } from './limit.ts';
import type { Tally } from './tally.ts';

/** Requests at once over kept connections; what needs more opens its own. */
const CONNECTIONS_MAX = 64;
/** Of an answer that holds the key: enough to see which error it is. */
const SAID_CHARS = 160;

export interface Asked {
  readonly method?: string | undefined;
  readonly path?: string | undefined;
  /** undefined: without any key. */
  readonly bearer?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | undefined;
}

export interface Answer {
  readonly status: number;
  /** Its beginning. */
  readonly text: string;
  readonly bytes: number;
}

export interface ClientOptions {
  readonly port: number;
  readonly tally: Tally;
  readonly held: Held;
  readonly keys: KeyWatch;
  /** The key was heard. */
  echoed(what: string): void;
}

export class Client {
  readonly #options: ClientOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS_MAX });

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  get port(): number {
    return this.#options.port;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** One request, read to its end, or to the beginning of a stream; undefined when there was no answer. */
  async post(
    query: string,
    variables: object | undefined,
    bearer: string | undefined,
  ): Promise<Answer | undefined> {
    return this.ask({ bearer, body: JSON.stringify({ query, variables }) });
  }

  ask(asked: Asked): Promise<Answer | undefined> {
    const { tally } = this.#options;
    return this.#answer(asked).then(
      (answer) => {
        tally.heard(answer.status, answer.text);
        return answer;
      },
      (error: NodeJS.ErrnoException) => {
        tally.refused(error.code ?? error.message);
        return undefined;
      },
    );
  }

  #answer({ method = 'POST', path = '/graphql', bearer, headers = {}, body = '' }: Asked): Promise<Answer> {
    const { port, keys } = this.#options;
    const heard = keys.stream();
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          ...{ port, host: '127.0.0.1', method, path, agent: this.#agent, timeout: ANSWER_MS_MAX },
          headers: { ...headOf(bearer), 'content-length': Buffer.byteLength(body), ...headers },
        },
        (answer) => {
          let [text, bytes] = ['', 0];
          this.#listen(keys.find(JSON.stringify(answer.rawHeaders)), 'a head', String(answer.rawHeaders));
          answer.on('data', (chunk: Buffer) => {
            bytes += chunk.length;
            const piece = chunk.toString('latin1');
            this.#listen(heard(piece), 'an answer', piece);
            if (text.length < ANSWER_CHARS_KEPT) text += piece.slice(0, ANSWER_CHARS_KEPT - text.length);
            if (bytes > ANSWER_BYTES_READ_MAX) answer.destroy();
          });
          const resolveNow = (): void => resolve({ status: answer.statusCode ?? 0, text, bytes });
          answer.on('close', resolveNow);
          if (/event-stream/.test(answer.headers['content-type'] ?? '')) {
            // It has no end: it is read on until the kind is over.
            answer.once(
              'close',
              this.#options.held.add(() => answer.destroy()),
            );
            answer.once('data', resolveNow);
          }
          answer.on('error', reject);
        },
      );
      sent.on('timeout', () => sent.destroy(Object.assign(new Error('no answer'), { code: 'NO_ANSWER' })));
      sent.on('error', reject);
      sent.end(body);
    });
  }

  /** A connection that sends these bytes and does not read; held until the kind is over. */
  unread(bytes: string | Buffer): Socket {
    const socket = this.connection();
    socket.pause();
    socket.write(bytes);
    return socket;
  }

  /** A bare connection, held until the kind is over. What is read of it is looked through. */
  connection(): Socket {
    const { port, tally, held, keys } = this.#options;
    const socket = connect(port, '127.0.0.1');
    const heard = keys.stream();
    const gone = held.add(() => socket.destroy());
    socket.on('error', (error: NodeJS.ErrnoException) => tally.refused(error.code ?? 'broken'));
    socket.on('close', gone);
    socket.on('data', (chunk: Buffer) => {
      const text = chunk.toString('latin1');
      this.#listen(heard(text), 'an answer', text);
      const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
      if (status !== undefined) tally.heard(Number(status), text);
    });
    return socket;
  }

  /** A socket of graphql-transport-ws, held until the kind is over; undefined when it was not let in. */
  socket(bearer: string | undefined, init = true): Promise<WebSocket | undefined> {
    const { port, tally, held, keys } = this.#options;
    const socket = new WebSocket(`ws://127.0.0.1:${port}/graphql`, 'graphql-transport-ws', {
      perMessageDeflate: false,
      maxPayload: ANSWER_BYTES_READ_MAX,
      handshakeTimeout: ANSWER_MS_MAX,
    });
    const gone = held.add(() => socket.terminate());
    return new Promise((resolve) => {
      socket.on('message', (data: Buffer) => {
        const text = data.toString('latin1');
        this.#listen(keys.find(text), 'a frame', text);
        tally.heard(200, text.slice(0, ANSWER_CHARS_KEPT));
        if (text.includes('"connection_ack"')) resolve(socket);
      });
      socket.on('open', () => {
        if (!init) return resolve(socket);
        const payload = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
        socket.send(JSON.stringify({ type: 'connection_init', payload }));
      });
      socket.on('error', (error: NodeJS.ErrnoException) => tally.refused(error.code ?? error.message));
      socket.on('close', (code, reason) => {
        gone();
        this.#listen(keys.find(reason.toString()), 'a close', reason.toString());
        tally.refused(`closed ${code}`);
        resolve(undefined);
      });
    });
  }

  #listen(how: string | undefined, where: string, said = ''): void {
    if (how !== undefined)
      this.#options.echoed(`the key (${how}) was said in ${where}: ${said.slice(0, SAID_CHARS)}`);
  }
}

/** The bytes of a request as somebody writes them who means to break off. */
export function requestBytes(body: string, bearer: string | undefined, accept = 'application/json'): string {
  const head = Object.entries({ ...headOf(bearer), host: 'siege', accept }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  return `POST /graphql HTTP/1.1\r\n${head.join('\r\n')}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

function headOf(bearer: string | undefined): Record<string, string> {
  const type = { 'content-type': 'application/json' };
  return bearer === undefined ? type : { ...type, authorization: `Bearer ${bearer}` };
}
