/** What an error of a service says, in whichever of the shapes that services and their proxies use. */
import type { IncomingHttpHeaders } from 'node:http';
import { type JsonObject, objectOf, parsed, textOf } from './json-value.ts';

/** The service's words for its errors have up to forty characters. */
const WORD_CHARS_MAX = 100;
/** What of an error is looked at and kept: some sentences. */
const MESSAGE_CHARS_MAX = 4_000;
/** A text that is no JSON, as part of a message of ours. */
const PLAIN_CHARS_MAX = 300;
const REQUEST_ID_CHARS_MAX = 200;
/** Of a path into a request: its blocks are five steps down. */
const PATH_STEPS_MAX = 10;

export interface Said {
  readonly type?: string | undefined;
  /** A word of its own beside the type: `code`, `status`, or the service's `details.error_code`. */
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  /** Where in the request the fault is, where that is a field of its own: `param` (OpenAI), `loc` (FastAPI). */
  readonly path?: string | undefined;
  /** An HTTP status inside the body: all that an error in mid-stream has. */
  readonly status?: number | undefined;
  /** What a proxy quotes of the service behind it. */
  readonly quoted?: string | undefined;
  readonly appealUrl?: string | undefined;
  readonly requestId?: string | undefined;
}

/** Of the body of an answer. A page in HTML says nothing. */
export function saidInText(text: string): Said {
  let value: unknown;
  try {
    value = parsed(text);
  } catch {
    return {}; // nested until the stack ends
  }
  const said = saidIn(value);
  if (said !== undefined) return said;
  const plain = text.trim();
  if (value !== undefined || plain === '' || plain.startsWith('<')) return {};
  return { message: plain.slice(0, PLAIN_CHARS_MAX).toWellFormed() };
}

/**
 * Of parsed JSON: `{ error: { type, message } }` as the Messages API has it, the same with a `code` (OpenAI) or a `status`
 * and in a list (Vertex), `{ error: "text" }` (Ollama), `{ message }` (Bedrock, vLLM), `{ detail }` (FastAPI).
 */
export function saidIn(value: unknown): Said | undefined {
  const body = objectOf(Array.isArray(value) ? value[0] : value);
  if (body === undefined) return undefined;
  const requestId = boundedId(textOf(body['request_id']));
  const text = textOf(body['error']) ?? textOf(body['detail']);
  if (text !== undefined) return { message: bounded(text), requestId };
  const error = objectOf(body['error']) ?? objectOf(body['detail']) ?? firstOf(body) ?? body;
  const message =
    textOf(error['message']) ?? textOf(error['Message']) ?? textOf(error['msg']) ?? textOf(error['error']);
  const type = word(error['type']) ?? word(error['__type']);
  const details = objectOf(error['details']) ?? {};
  const code = word(details['error_code']) ?? word(error['code']) ?? word(error['status']);
  if (message === undefined && code === undefined && (type === undefined || error === body)) return undefined;
  return {
    type,
    code,
    message: message === undefined ? undefined : bounded(message),
    path: pathOf(error),
    status: statusOf(error['code']) ?? statusOf(error['status']),
    quoted: bounded(textOf(objectOf(error['metadata'])?.['raw']) ?? ''),
    appealUrl: textOf(details['appeal_url'])?.slice(0, PLAIN_CHARS_MAX),
    requestId,
  };
}

function pathOf({ param, loc }: JsonObject): string | undefined {
  if (Array.isArray(loc))
    return loc
      .slice(0, PATH_STEPS_MAX)
      .map((step) => String(step).slice(0, WORD_CHARS_MAX))
      .join('.');
  return word(param);
}

/** All of its words, to be searched. */
export function wordsOf({ type = '', code = '', message = '', quoted = '' }: Said): string {
  return [type, code, message, quoted].join(' ');
}

export function requestIdOf(headers: IncomingHttpHeaders, said: Said = {}): string | undefined {
  return boundedId(textOf(headers['request-id'])) ?? said.requestId;
}

/** `{ errors: [{ message }] }`, or a FastAPI list of details. */
function firstOf(body: JsonObject): JsonObject | undefined {
  const list = body['errors'] ?? body['detail'];
  return Array.isArray(list) ? objectOf(list[0]) : undefined;
}

function word(value: unknown): string | undefined {
  const text = textOf(value);
  return text === undefined || text === '' ? undefined : text.slice(0, WORD_CHARS_MAX).toWellFormed();
}

function statusOf(value: unknown): number | undefined {
  const status = Number(value ?? Number.NaN);
  return Number.isInteger(status) && status >= 400 && status <= 599 ? status : undefined;
}

function bounded(text: string): string {
  return text.slice(0, MESSAGE_CHARS_MAX).toWellFormed();
}

function boundedId(id: string | undefined): string | undefined {
  return id === undefined || id === '' ? undefined : id.slice(0, REQUEST_ID_CHARS_MAX).toWellFormed();
}
