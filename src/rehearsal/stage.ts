/** Answers the requests of a rehearsal: refuses what the service would refuse, and plays the script of the rest. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { Attempts } from './attempts.ts';
import { digest, isFields } from './json-value.ts';
import { type Asked, play, readAsked } from './play.ts';
import { readBody, type Body } from './request-body.ts';
import { RequestLog } from './request-log.ts';
import { type Refusal, refusalsOf } from './request-rule.ts';
import { HEAD_RULES, keyOf } from './rules/head.ts';
import { REQUEST_RULES } from './rules/table.ts';
import type { StatusFault } from './script-fault.ts';
import type { Script } from './script.ts';
import { errorBody, errorTypeOf, type ServiceError } from './service-error.ts';
import { serviceRequest } from './service-request.ts';
import { streamAnswer, wholeMessage } from './stream.ts';

export interface StageOptions {
  readonly fallback?: string | undefined;
  readonly strict?: boolean | undefined;
  readonly clock?: Clock | undefined;
}

const FALLBACK = 'echo';
/** Models of the service itself, which an app that is tried on a rehearsal asks for. */
const SERVICE_MODEL = /^claude-/;
const PATHS = ['/v1/messages', '/v1/messages/count_tokens'];

type Said = Omit<ServiceError, 'type'> & {
  readonly status: number;
  /** The one that goes with the status if left out. */
  readonly type?: string | undefined;
};

export class Stage {
  readonly #log = new RequestLog();
  readonly #scripts: ReadonlyMap<string, Script>;
  readonly #options: StageOptions;
  readonly #strict: boolean;
  readonly #clock: Clock;
  readonly #attempts = new Attempts();

  constructor(scripts: readonly Script[], options: StageOptions) {
    this.#scripts = new Map(scripts.map((script) => [script.name, script]));
    this.#options = options;
    this.#strict = options.strict ?? true;
    this.#clock = options.clock ?? systemClock;
  }

  get requests() {
    return this.#log.requests;
  }

  /** Never rejects: what goes wrong is an answer too, or the client has left. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const left = new AbortController();
    response.once('close', () => left.abort());
    try {
      await this.#answer(request, response, left.signal);
    } catch (error) {
      const message = error instanceof Error ? error.message : 'The rehearsal failed.';
      if (response.headersSent) response.destroy();
      else say(response, 'req_none', { status: 500, message });
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<void> {
    const path = new URL(request.url ?? '/', 'http://rehearsal').pathname;
    if (request.method !== 'POST' || !PATHS.includes(path)) {
      const message = `The rehearsal has POST ${PATHS.join(' and ')}, not ${path}.`;
      return say(response, requestIdOf(path), { status: 404, message });
    }
    const body = await readBody(request, this.#strict);
    const value = body.kind === 'value' ? body.value : undefined;
    this.#log.add({ path, headers: request.headers, body: value }, body.bytes);
    const requestId = requestIdOf(JSON.stringify([path, value]) ?? path);
    const counts = path !== PATHS[0];
    const script = this.#scriptOf(isFields(value) ? String(value['model']) : '');
    const refusal = this.#refusalOf(request, body, script, counts);
    if (refusal !== undefined) return say(response, requestId, refusal);
    const asked = readAsked(value);
    if (asked === undefined || script === undefined)
      return say(response, requestId, { status: 400, message: 'A request has "model" and "messages".' });
    if (counts) return send(response, 200, { input_tokens: asked.promptTokens }, { 'request-id': requestId });
    await this.#play(script, asked, requestId, response, signal);
  }

  #scriptOf(model: string): Script | undefined {
    const named = this.#scripts.get(model) ?? this.#scripts.get(/^rehearsal-(.+)$/.exec(model)?.[1] ?? '');
    if (named !== undefined || model.startsWith('rehearsal-')) return named;
    const { fallback } = this.#options;
    if (fallback !== undefined) return this.#scripts.get(fallback);
    return this.#strict && !SERVICE_MODEL.test(model) ? undefined : this.#scripts.get(FALLBACK);
  }

  #refusalOf(
    request: IncomingMessage,
    body: Body,
    script: Script | undefined,
    counts: boolean,
  ): Said | Refusal | undefined {
    const { headers } = request;
    if (this.#strict) {
      for (const refusal of refusalsOf(HEAD_RULES, headers)) return refusal;
    }
    if (body.kind === 'too_large') return { status: 413, message: 'Request exceeds the maximum size' };
    if (body.kind === 'invalid')
      return { status: 400, message: `The request body is not valid JSON: ${body.reason}` };
    if (!isFields(body.value)) return { status: 400, message: 'Input should be a valid dictionary' };
    const key = keyOf(headers);
    if (key === undefined || (script?.key !== undefined && key !== script.key))
      return { status: 401, message: 'invalid x-api-key' };
    const { model } = body.value;
    if (typeof model === 'string' && (script === undefined || script.models?.includes(model) === false))
      return { status: 404, message: `model: ${model}` };
    if (!this.#strict) return undefined;
    const version = String(headers['anthropic-version']);
    const beta = headers['anthropic-beta'] !== undefined;
    const [first] = refusalsOf(
      REQUEST_RULES,
      serviceRequest(body.value, { counts, version, beta, traits: script }),
    );
    return first;
  }

  async #play(
    script: Script,
    asked: Asked,
    requestId: string,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    const played = play(script, asked);
    if (played === undefined) {
      const message = `No rule of the script "${script.name}" fits this conversation.`;
      return say(response, requestId, { status: 400, message });
    }
    const fault = this.#attempts.next(`${script.name} ${asked.position}`, played.rule.faults);
    if (fault?.kind === 'status') return playStatus(response, requestId, fault);
    const tokensPerSecond = played.rule.tokensPerSecond ?? script.tokensPerSecond;
    if (asked.stream) {
      const streaming = { play: played, requestId, tokensPerSecond, fault };
      return streamAnswer(streaming, response, this.#clock, signal);
    }
    if (fault?.kind === 'cut' || fault?.kind === 'end') return void response.destroy();
    if (fault?.kind === 'error') {
      const { type, message = 'The rehearsal plays a fault.', details } = fault;
      return say(response, requestId, { status: 529, type, message, details });
    }
    const headers = { 'request-id': requestId, ...played.rule.headers };
    if (fault === undefined) return send(response, 200, wholeMessage(played), headers);
    // A request that hangs stays open until the client or the server ends it.
  }
}

/** The same request has the same id, as all of its answer. */
function requestIdOf(text: string): string {
  return `req_${digest(text)}`;
}

function playStatus(response: ServerResponse, requestId: string, fault: StatusFault): void {
  const { status, type, message = 'The rehearsal plays a fault.', details, retryAfterMs, body } = fault;
  const retry =
    retryAfterMs === undefined
      ? {}
      : { 'retry-after-ms': String(retryAfterMs), 'retry-after': String(Math.ceil(retryAfterMs / 1000)) };
  const headers = { ...retry, ...fault.headers };
  if (body === undefined) return say(response, requestId, { status, type, message, details }, headers);
  response.writeHead(status, { 'content-type': 'text/html', 'request-id': requestId, ...headers });
  response.end(body);
}

function say(
  response: ServerResponse,
  requestId: string,
  { status, type = errorTypeOf(status), message, details }: Said,
  headers: Readonly<Record<string, string>> = {},
): void {
  const id = headers['request-id'] ?? requestId;
  send(response, status, errorBody({ type, message, details }, id), { 'request-id': id, ...headers });
}

function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>>,
): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...headers,
  });
  response.end(text);
}
