/**
 * The Model port for the Anthropic Messages API, spoken through the unit endpoint: this side holds a unit token and never a
 * model key. Of the SDK it takes the types, not the client: loading that costs a starting brain 150 ms, and its own retries
 * must be off in any case, since a retry belongs into the journal.
 */
import {
  type AnswerSink,
  type Model,
  type ModelAnswer,
  ModelFailure,
  type ModelMessage,
  type ModelRequest,
} from '../../brain/model.ts';
import { type EndpointRetries, endpointRetries, refusalOf } from '../../brain/unit-endpoint.ts';
import { type Http, type HttpResponse, textOf } from '../../brain/unix-http.ts';
import { systemClock } from '../../kernel/clock.ts';
import { CALL_HEADER, DOOR_REFUSAL, REFUSAL_HEADER } from '../../sessions/unit-wire.ts';
import { notAnAnswer, readBody } from './answer-body.ts';
import { AnswerReader } from './answer-reader.ts';
import { placeIn } from './block-place.ts';
import { paramsOf } from './params.ts';
import { requestIdOf } from './said.ts';
import { failureOfResponse, failureOfStream } from './translate-error.ts';

/** The version of the API that the SDK's types describe. */
const API_VERSION = '2026-10-21';
/** The body of a refusal: a sentence, not a book. */
const REFUSAL_BYTES_MAX = 1024 * 1024;
export class AnthropicModel implements Model {
  readonly #http: Http;
  readonly #token: string;
  readonly #retries: EndpointRetries;

  constructor(http: Http, token: string, retries = endpointRetries({ clock: systemClock })) {
    this.#http = http;
    this.#token = token;
    this.#retries = retries;
  }

  async answer(request: ModelRequest, signal: AbortSignal, sink: AnswerSink): Promise<ModelAnswer> {
    const over = new AbortController();
    const response = await this.#retries(signal, () =>
      this.#send(request, AbortSignal.any([signal, over.signal])),
    );
    if (response instanceof ModelFailure) throw response;
    if (response.status >= 400) throw failureOf(response, await this.#refusal(response, signal), request);
    const requestId = requestIdOf(response.headers);
    const reader = new AnswerReader(sink, request.callId, toolUseIds(request.messages));
    try {
      if (response.status >= 300) {
        await this.#refusal(response, signal);
        throw notAnAnswer(`HTTP ${response.status}, a redirect`, response.headers);
      }
      await readBody(response, reader, () => over.abort());
      signal.throwIfAborted();
      const answer = reader.answer();
      if (answer === undefined) throw new Error('The stream ended before message_stop.');
      return { ...answer, requestId };
    } catch (error) {
      if (signal.aborted) throw error;
      throw failureOfStream(error, requestId);
    }
  }

  async #refusal(response: HttpResponse, signal: AbortSignal): Promise<string> {
    try {
      return await textOf(response, REFUSAL_BYTES_MAX);
    } catch (error) {
      if (signal.aborted) throw error;
      return ''; // too long, or cut: the status says enough
    }
  }

  /** What comes of the service or the gateway. Throws only what is the door's own refusal or failure (WIRE-1), and when aborted. */
  async #send(request: ModelRequest, signal: AbortSignal): Promise<HttpResponse | ModelFailure> {
    const response = await this.#sent(request, signal);
    if (response instanceof ModelFailure) return response;
    if (response.headers[REFUSAL_HEADER] === DOOR_REFUSAL) throw await refusalOf(response);
    return response;
  }

  async #sent(request: ModelRequest, signal: AbortSignal): Promise<HttpResponse | ModelFailure> {
    try {
      return await this.#http({
        method: 'POST',
        path: '/v1/messages',
        headers: {
          authorization: `Bearer ${this.#token}`,
          'anthropic-version': API_VERSION,
          [CALL_HEADER]: request.callId,
        },
        body: JSON.stringify(paramsOf(request)),
        signal,
      });
    } catch (error) {
      if (signal.aborted || isUnanswered(error)) throw error;
      return failureOfStream(error);
    }
  }
}

/** Nobody listens at the door: nothing was sent, and it is not the service that is away. */
function isUnanswered(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && error.syscall === 'connect';
}

function failureOf(response: HttpResponse, text: string, { messages }: ModelRequest): ModelFailure {
  return failureOfResponse(response.status, response.headers, text, (said) => placeIn(messages, said));
}

function toolUseIds(messages: readonly ModelMessage[]): readonly string[] {
  return messages.flatMap((message) =>
    message.role === 'assistant'
      ? message.blocks.flatMap((block) => (block.kind === 'tool' ? [block.toolUseId] : []))
      : [],
  );
}
