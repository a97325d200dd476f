/** What the model service, the gateway and the connection refuse, in the brain's words; each message says what to do. */
import type { IncomingHttpHeaders } from 'node:http';
import { GATEWAY_REFUSAL, REFUSAL_HEADER } from '../../sessions/unit-wire.ts';
import { type MessagePlace, ModelFailure } from '../../brain/model.ts';
import { EventStreamTooLong } from '../../kernel/event-stream.ts';
import { kindOf, kindOfGateway, typeOf, UNAVAILABLE } from './failure-kind.ts';
import { retryAfterMs } from './retry-after.ts';
import { requestIdOf, type Said, saidInText } from './said.ts';

/** What the service says, inside a message of ours: a sentence, and room for the advice after it. */
const REASON_CHARS_MAX = 300;
/** Timeouts and conflicts pass, as all of 5xx do. */
const RETRIABLE_STATUSES: ReadonlySet<number> = new Set([408, 409, 429]);

/** Where the service sees a fault of the request, by what it says. */
export type Locate = (said: string) => MessagePlace | undefined;

/** Of an answer whose status is an error. */
export function failureOfResponse(
  status: number,
  headers: IncomingHttpHeaders,
  text: string,
  locate: Locate = () => undefined,
): ModelFailure {
  const said = saidInText(text);
  const isOwn = headers[REFUSAL_HEADER] === GATEWAY_REFUSAL; // WIRE-1
  const kind = (isOwn ? kindOfGateway(said) : undefined) ?? kindOf(said, status);
  const told = headers['x-should-retry'];
  const passing = kind.retriable === true || status >= 500 || RETRIABLE_STATUSES.has(status);
  const retriable = kind.retriable !== 'never' && (told === 'true' || (told !== 'false' && passing));
  return new ModelFailure(kind.code, kind.say(short(said.message ?? `HTTP ${status}`), said), {
    type: typeOf(said, status, kind),
    retriable,
    retryAfterMs: retryAfterMs(headers),
    place: kind.code === 'MODEL_REQUEST_INVALID' ? locate([said.path, said.message].join(' ')) : undefined,
    requestId: requestIdOf(headers, said),
  });
}

/** Of an error that the service sends after it has begun to answer, or in place of an answer. */
export function failureOfSaid(said: Said, headers: IncomingHttpHeaders): ModelFailure {
  const kind = kindOf(said, said.status);
  return new ModelFailure(kind.code, kind.say(short(said.message ?? 'an error in mid-stream'), said), {
    type: typeOf(said, said.status, kind),
    retriable: kind.retriable === true,
    requestId: requestIdOf(headers, said),
  });
}

/** Of a connection that failed, or a stream that was cut. */
export function failureOfStream(error: unknown, requestId?: string): ModelFailure {
  if (error instanceof ModelFailure) return error;
  if (error instanceof RangeError || error instanceof EventStreamTooLong) {
    // JSON that is nested until the stack ends, or longer than is read: the next answer would be as well
    const message = 'The model service sent an answer that cannot be read. Give the agent another model.';
    const details = { type: 'invalid_answer', retriable: false, requestId, cause: error };
    return new ModelFailure('MODEL_ANSWER_INVALID', message, details);
  }
  const reason = short(error instanceof Error ? error.message : String(error));
  const details = { type: 'connection_error', retriable: true, requestId, cause: error };
  return new ModelFailure('MODEL_UNAVAILABLE', UNAVAILABLE.say(reason, {}), details);
}

function short(reason: string): string {
  return reason.length > REASON_CHARS_MAX ? `${reason.slice(0, REASON_CHARS_MAX).toWellFormed()}…` : reason;
}
