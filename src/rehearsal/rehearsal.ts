/**
 * A local server that speaks the Anthropic Messages API and plays scripts (docs/rehearsal.md): for demos without a key,
 * and for testing an app against faults that a real service shows once a month.
 *
 * The model's name chooses the script: `<script>` or `rehearsal-<script>`; any other name gets the default script. Nothing is
 * remembered but how often a request with a fault was made.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { type Asked, play, readAsked } from './play.ts';
import type { Script, ScriptFault } from './script.ts';
import { loadScripts, OWN_SCRIPTS } from './script-folder.ts';
import { streamAnswer, wholeMessage } from './stream.ts';

export interface RehearsalOptions {
  /** 0 takes a free one. */
  readonly port: number;
  /** 127.0.0.1 if left out. */
  readonly host?: string | undefined;
  /** Those that come with Holdfast if left out. */
  readonly scripts?: readonly Script[] | undefined;
  /** The name of the script for models that name none; `echo` if left out. */
  readonly fallback?: string | undefined;
  readonly clock?: Clock | undefined;
}

/** A request as it came, for tests that look at it. */
export interface RehearsalRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: unknown;
}

export interface Rehearsal {
  readonly url: string;
  /** The last REQUESTS_KEPT, oldest first. */
  readonly requests: readonly RehearsalRequest[];
  close(): Promise<void>;
}

const REQUESTS_KEPT = 1_000;
const REQUEST_BYTES_MAX = 32 * 1024 * 1024;
/** Requests with faults whose attempts are counted; the oldest is forgotten first. */
const POSITIONS_MAX = 10_000;

const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  504: 'timeout_error',
  529: 'overloaded_error',
};

/** Resolves when the server listens. */
export async function startRehearsal(options: RehearsalOptions): Promise<Rehearsal> {
  const { port: wanted, host = '127.0.0.1' } = options;
  const stage = new Stage(options.scripts ?? (await loadScripts(OWN_SCRIPTS)), options);
  const server = createServer((request, response) => void stage.answer(request, response));
  server.listen(wanted, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return {
    url: `http://${host}:${port}`,
    requests: stage.requests,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

class Stage {
  readonly requests: RehearsalRequest[] = [];
  readonly #scripts: ReadonlyMap<string, Script>;
  readonly #fallback: string;
  readonly #clock: Clock;
  readonly #attempts = new Map<string, number>();

  constructor(scripts: readonly Script[], { fallback = 'echo', clock = systemClock }: RehearsalOptions) {
    this.#scripts = new Map(scripts.map((script) => [script.name, script]));
    this.#fallback = fallback;
    this.#clock = clock;
  }

  /** Never rejects: what goes wrong is an answer too, or the client has left. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const left = new AbortController();
    response.once('close', () => left.abort());
    try {
      await this.#answer(request, response, left.signal);
    } catch (error) {
      if (response.headersSent) response.destroy();
      else refuse(response, 500, error instanceof Error ? error.message : 'The rehearsal failed.');
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<void> {
    const path = new URL(request.url ?? '/', 'http://rehearsal').pathname;
    const counts = path === '/v1/messages/count_tokens';
    if (request.method !== 'POST' || !(counts || path === '/v1/messages')) {
      return refuse(
        response,
        404,
        `The rehearsal has POST /v1/messages and /v1/messages/count_tokens, not ${path}.`,
      );
    }
    const body = await readJson(request);
    if (this.requests.push({ path, headers: request.headers, body }) > REQUESTS_KEPT) this.requests.shift();
    const asked = readAsked(body);
    if (asked === undefined) return refuse(response, 400, 'A request has "model" and "messages".');
    const script = this.#scriptOf(asked.model);
    const refusal = script === undefined ? unknownModel(asked.model) : admit(script, request, asked);
    if (script === undefined || refusal !== undefined)
      return refuse(response, refusal?.status ?? 404, refusal?.message ?? '');
    if (counts) return send(response, 200, { input_tokens: asked.promptTokens });
    await this.#play(script, asked, response, signal);
  }

  #scriptOf(model: string): Script | undefined {
    const named = /^rehearsal-(.+)$/.exec(model)?.[1];
    return (
      this.#scripts.get(named ?? model) ??
      (named === undefined ? this.#scripts.get(this.#fallback) : undefined)
    );
  }

  async #play(script: Script, asked: Asked, response: ServerResponse, signal: AbortSignal): Promise<void> {
    const played = play(script, asked);
    if (played === undefined)
      return refuse(response, 400, `No rule of the script "${script.name}" fits this conversation.`);
    const fault = this.#faultOf(script, asked, played.rule.faults);
    if (fault?.kind === 'status') return refuse(response, fault.status, fault.message, fault.retryAfterMs);
    const tokensPerSecond = played.rule.tokensPerSecond ?? script.tokensPerSecond;
    if (asked.stream) {
      return streamAnswer(
        { play: played, model: asked.model, tokensPerSecond, fault },
        response,
        this.#clock,
        signal,
      );
    }
    if (fault?.kind === 'cut') return void response.destroy();
    if (fault?.kind === 'error') return refuse(response, 529);
    if (fault === undefined) return send(response, 200, wholeMessage(played, asked.model));
    // A request that hangs stays open until the client or the server ends it.
  }

  #faultOf(script: Script, asked: Asked, faults: readonly ScriptFault[]): ScriptFault | undefined {
    if (faults.length === 0) return undefined;
    const key = `${script.name} ${asked.position}`;
    const attempt = (this.#attempts.get(key) ?? 0) + 1;
    this.#attempts.delete(key);
    this.#attempts.set(key, attempt);
    const [oldest] = this.#attempts.keys();
    if (this.#attempts.size > POSITIONS_MAX && oldest !== undefined) this.#attempts.delete(oldest);
    let through = 0;
    return faults.find((fault) => (through += fault.times) >= attempt);
  }
}

interface Refusal {
  readonly status: number;
  readonly message: string;
}

function unknownModel(model: string): Refusal {
  return { status: 404, message: `model: ${model}` };
}

function admit(script: Script, request: IncomingMessage, asked: Asked): Refusal | undefined {
  const key = request.headers['x-api-key'] ?? request.headers.authorization?.replace(/^Bearer /, '');
  if (typeof key !== 'string' || key === '' || (script.key !== undefined && key !== script.key)) {
    return { status: 401, message: 'invalid API key' };
  }
  if (script.models !== undefined && !script.models.includes(asked.model)) return unknownModel(asked.model);
  return undefined;
}

function refuse(
  response: ServerResponse,
  status: number,
  message = 'The rehearsal plays a fault.',
  retryAfterMs?: number,
): void {
  const type = ERROR_TYPES[status] ?? (status >= 500 ? 'api_error' : 'invalid_request_error');
  const retry =
    retryAfterMs === undefined
      ? undefined
      : { 'retry-after-ms': String(retryAfterMs), 'retry-after': String(Math.ceil(retryAfterMs / 1000)) };
  send(response, status, { type: 'error', error: { type, message } }, retry);
}

function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...headers,
  });
  response.end(text);
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    // no encoding is set, so these are buffers
    bytes += chunk.length;
    if (bytes > REQUEST_BYTES_MAX) throw new Error(`A request has at most ${REQUEST_BYTES_MAX} bytes.`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    return undefined;
  }
}
