/** A model service in memory that holds every request against the rules of the real one, and answers what a test says. */
import { Readable } from 'node:stream';
import type { Http, HttpRequest, HttpResponse } from '../../src/brain/unix-http.ts';
import { isFields } from '../../src/rehearsal/json-value.ts';
import { type Asked, play, readAsked } from '../../src/rehearsal/play.ts';
import { type Refusal, refusalsOf } from '../../src/rehearsal/request-rule.ts';
import { HEAD_RULES } from '../../src/rehearsal/rules/head.ts';
import { REQUEST_RULES } from '../../src/rehearsal/rules/table.ts';
import { parseScript } from '../../src/rehearsal/script.ts';
import { errorBody } from '../../src/rehearsal/service-error.ts';
import { serviceRequest } from '../../src/rehearsal/service-request.ts';
import { framesOf } from '../../src/rehearsal/stream.ts';
import { parseStrictly } from '../../src/rehearsal/strict-json.ts';

/** A rule of a script, without its `when`; `cut` breaks the stream off in its middle. */
export interface Answer {
  readonly rule: object;
  readonly cut?: boolean;
  readonly status?: number;
}

export class StrictService {
  /** What the real service would not have answered, in the order of the requests. */
  readonly refusals: Refusal[] = [];
  calls = 0;
  readonly #answer: (asked: Asked) => Answer;

  constructor(answer: (asked: Asked) => Answer) {
    this.#answer = answer;
  }

  readonly http: Http = async (request) => {
    await new Promise(setImmediate);
    request.signal.throwIfAborted();
    this.calls += 1;
    const { refusal, value } = read(request);
    if (refusal !== undefined) {
      this.refusals.push(refusal);
      return response(refusal.status, JSON.stringify(errorBody(refusal, 'req_refused')));
    }
    const asked = readAsked(value);
    if (asked === undefined) throw new Error('a lawful request is one of the Messages API');
    const { rule, cut = false, status = 200 } = this.#answer(asked);
    const error = { type: 'overloaded_error', message: 'Overloaded' };
    if (status !== 200) return response(status, JSON.stringify(errorBody(error, 'req_failed')));
    const played = play(parseScript('life', JSON.stringify({ description: 'x', rules: [rule] })), asked);
    if (played === undefined) throw new Error('a rule without a condition always holds');
    const frames = [...framesOf(played)].map(
      ({ event, data }) => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`,
    );
    return response(200, (cut ? frames.slice(0, frames.length >> 1) : frames).join(''));
  };
}

function read({ headers = {}, body = '' }: HttpRequest): {
  readonly refusal?: Refusal;
  readonly value?: unknown;
} {
  const [head] = refusalsOf(HEAD_RULES, headers);
  if (head !== undefined) return { refusal: head };
  const parsed = parseStrictly(Buffer.from(body));
  if (parsed.kind === 'invalid' || !isFields(parsed.value)) {
    const reason = parsed.kind === 'invalid' ? parsed.reason : 'no object';
    const message = `The request body is not valid JSON: ${reason}`;
    return { refusal: { id: 'body.json', status: 400, type: 'invalid_request_error', message } };
  }
  const [refusal] = refusalsOf(REQUEST_RULES, serviceRequest(parsed.value));
  return refusal === undefined ? { value: parsed.value } : { refusal };
}

function response(status: number, text: string): HttpResponse {
  const type = status === 200 ? 'text/event-stream' : 'application/json';
  return {
    status,
    headers: { 'content-type': type, 'request-id': 'req_1' },
    body: Readable.from([Buffer.from(text)]),
  };
}
