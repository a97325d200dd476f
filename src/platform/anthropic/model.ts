/**
 * The Model port for the Anthropic Messages API, spoken through the unit door: this side holds a unit token and never a
 * model key. Of the SDK it takes the stream decoder and the types, not the client: loading that costs a starting brain
 * 150 ms, and its own retries must be off in any case, since a retry belongs into the journal.
 */
import { Stream } from '@anthropic-ai/sdk/core/streaming';
import type { RawMessageStreamEvent } from '@anthropic-ai/sdk/resources/messages/messages';
import {
  type AnswerSink,
  type Model,
  type ModelAnswer,
  ModelFailure,
  type ModelRequest,
} from '../../brain/model.ts';
import { type Http, type HttpResponse, textOf } from '../../brain/unix-http.ts';
import { parseRefusal } from '../../brain/unit-door.ts';
import { CALL_HEADER } from '../../sessions/unit-wire.ts';
import { AnswerReader } from './answer-reader.ts';
import { paramsOf } from './params.ts';
import { failureOfResponse, failureOfStream } from './translate-error.ts';

/** The version of the API that the SDK's types describe. */
const API_VERSION = '2026-10-21';
/** The body of a refusal: a sentence, not a book. */
const REFUSAL_BYTES_MAX = 1024 * 1024;

export class AnthropicModel implements Model {
  readonly #http: Http;
  readonly #token: string;

  constructor(http: Http, token: string) {
    this.#http = http;
    this.#token = token;
  }

  async answer(request: ModelRequest, signal: AbortSignal, sink: AnswerSink): Promise<ModelAnswer> {
    const response = await this.#send(request, signal);
    if (response.status >= 400) {
      const text = await this.#refusal(response, signal);
      throw parseRefusal(text) ?? failureOfResponse(response.status, response.headers, text);
    }
    const reader = new AnswerReader((piece) => sink.text(piece));
    try {
      for await (const event of decode(response)) reader.read(event);
    } catch (error) {
      if (signal.aborted || error instanceof ModelFailure) throw error;
      throw failureOfStream(error);
    }
    signal.throwIfAborted(); // the decoder ends an aborted stream without an error
    const answer = reader.answer();
    if (answer === undefined) throw failureOfStream(new Error('The stream ended before message_stop.'));
    return answer;
  }

  async #refusal(response: HttpResponse, signal: AbortSignal): Promise<string> {
    try {
      return await textOf(response, REFUSAL_BYTES_MAX);
    } catch (error) {
      if (signal.aborted) throw error;
      return ''; // too long, or cut: the status says enough
    }
  }

  async #send(request: ModelRequest, signal: AbortSignal): Promise<HttpResponse> {
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
      if (signal.aborted) throw error;
      throw failureOfStream(error);
    }
  }
}

function decode(response: HttpResponse): AsyncIterable<RawMessageStreamEvent> {
  // The decoder uses `body` alone, as an async iterable; a real Response would load all of fetch.
  const answer = { body: response.body } as unknown as Response;
  return Stream.fromSSEResponse<RawMessageStreamEvent>(answer, new AbortController());
}
