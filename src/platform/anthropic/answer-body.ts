/**
 * Reads the body of an answer that was accepted: the event stream that was asked for, or whatever else came in its place.
 * Some services and proxies answer a request for a stream with one whole Message; that is an answer, and it is paid. What
 * is no answer at all is named, and not asked for again: it comes from another place than the one that was meant.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { ModelFailure } from '../../brain/model.ts';
import type { HttpResponse } from '../../brain/unix-http.ts';
import { EventStreamDecoder, type Frame } from '../../kernel/event-stream.ts';
import type { AnswerReader } from './answer-reader.ts';
import { isDeep, type JsonObject, objectOf, parsed, textOf } from './json-value.ts';
import { requestIdOf, saidIn } from './said.ts';
import { failureOfSaid } from './translate-error.ts';

/** A whole Message: ANSWER_CHARS_MAX characters, escaped. */
const WHOLE_MESSAGE_BYTES_MAX = 8 * 1024 * 1024;
/**
 * Milliseconds to wait for the end of the body after message_stop, so that the connection can be used again; some proxies
 * keep it open for minutes.
 */
const END_WAIT_MS = 1_000;
/** Of a page that is no answer, in the message of the failure. */
const SAMPLE_CHARS_MAX = 80;
/** OpenAI's last frame, which proxies add. */
const DONE = '[DONE]';
const SPACES: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d, 0xef, 0xbb, 0xbf]); // and the bytes of a BOM
const OPENS_JSON_OR_HTML: ReadonlySet<number> = new Set(Buffer.from('{[<'));

/**
 * Resolves when all was read; throws ModelFailure, or what the connection throws. `hangUp` ends a connection that stays open
 * after the answer.
 */
export async function readBody(
  response: HttpResponse,
  reader: AnswerReader,
  hangUp: () => void,
): Promise<void> {
  const { headers } = response;
  const decoder = new EventStreamDecoder();
  const whole = new Whole();
  let events = 0;
  let timer: NodeJS.Timeout | undefined;
  try {
    for await (const chunk of response.body) {
      if (whole.take(chunk)) continue;
      for (const frame of decoder.read(chunk)) events += readFrame(frame, reader, headers);
      if (reader.stopped) timer ??= setTimeout(hangUp, END_WAIT_MS);
    }
  } catch (error) {
    if (reader.stopped) return; // all that was wanted is there
    throw error;
  } finally {
    clearTimeout(timer);
  }
  const last = decoder.end();
  if (last !== undefined) events += readFrame(last, reader, headers, true);
  if (whole.text !== undefined) readWhole(whole.text, reader, headers);
  else if (events === 0 && whole.begun && !isStream(headers)) throw notAnAnswer(whole.sample, headers);
}

/** Collects a body that begins like JSON or HTML, which no event stream does. */
class Whole {
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;
  #kind: 'unknown' | 'stream' | 'whole' = 'unknown';
  #head = '';

  get text(): string | undefined {
    return this.#kind === 'whole' ? Buffer.concat(this.#chunks).toString('utf8') : undefined;
  }

  /** Whether anything but spaces came. */
  get begun(): boolean {
    return this.#kind !== 'unknown';
  }

  get sample(): string {
    return this.#head;
  }

  /** True: the chunk belongs to a whole body. */
  take(chunk: Uint8Array): boolean {
    const first = this.#kind === 'unknown' ? chunk.find((byte) => !SPACES.has(byte)) : undefined;
    if (first !== undefined) this.#kind = OPENS_JSON_OR_HTML.has(first) ? 'whole' : 'stream';
    if (this.#head.length < SAMPLE_CHARS_MAX)
      this.#head += Buffer.from(chunk.subarray(0, SAMPLE_CHARS_MAX)).toString();
    if (this.#kind !== 'whole') return false;
    this.#bytes += chunk.length;
    if (this.#bytes > WHOLE_MESSAGE_BYTES_MAX)
      throw notAnAnswer(`more than ${WHOLE_MESSAGE_BYTES_MAX} bytes of it`, {});
    this.#chunks.push(chunk);
    return true;
  }
}

/** 1 when the frame said something. */
function readFrame(frame: Frame, reader: AnswerReader, headers: IncomingHttpHeaders, last = false): 0 | 1 {
  const { data } = frame;
  if (data === undefined || data === '' || data === DONE || frame.event === 'ping' || reader.stopped)
    return 0;
  const event = objectOf(parsed(data));
  if (event === undefined) {
    if (last || isForeign(frame.event)) return 0; // cut, or nothing that is asked for
    throw new Error('an event of the stream is not JSON');
  }
  const type = textOf(event['type']) ?? frame.event ?? (event['error'] === undefined ? '' : 'error');
  if (type === 'error') {
    if (isDeep(event)) throw new RangeError('an error is nested too deeply');
    throw failureOfSaid(saidIn(event) ?? {}, headers);
  }
  reader.read({ ...event, type });
  return 1;
}

/** Events of later versions may hold anything; those of an answer begin with these words. */
function isForeign(event: string | undefined): boolean {
  return event !== undefined && !/^(message_|content_block_|error$)/.test(event);
}

function readWhole(text: string, reader: AnswerReader, headers: IncomingHttpHeaders): void {
  const body = objectOf(parsed(text));
  if (body === undefined) throw notAnAnswer(text, headers);
  if (isMessage(body)) {
    reader.readMessage(body);
    return;
  }
  const said = body['error'] === undefined && body['type'] !== 'error' ? undefined : saidIn(body);
  throw said === undefined ? notAnAnswer(text, headers) : failureOfSaid(said, headers);
}

function isMessage(body: JsonObject): boolean {
  return Array.isArray(body['content']) && (body['type'] === 'message' || body['role'] === 'assistant');
}

function isStream(headers: IncomingHttpHeaders): boolean {
  return String(headers['content-type']).startsWith('text/event-stream');
}

/** Of a body, or of a redirect, that has nothing to do with a model. */
export function notAnAnswer(got: string, headers: IncomingHttpHeaders): ModelFailure {
  const sample = got.trim().replaceAll(/\s+/g, ' ').slice(0, SAMPLE_CHARS_MAX).toWellFormed();
  const message = `The model service sent no answer of the Messages API (${JSON.stringify(sample)}). Is the base URL right?`;
  return new ModelFailure('MODEL_ANSWER_INVALID', message, {
    type: 'invalid_answer',
    retriable: false,
    requestId: requestIdOf(headers),
  });
}
