/** What the model service, the gateway and the connection refuse, in the brain's words; each message says what to do. */
import type { IncomingHttpHeaders } from 'node:http';
import { APIError } from '@anthropic-ai/sdk/core/error';
import { ModelFailure, type ModelFailureCode, PROMPT_TOO_LONG } from '../../brain/model.ts';

/** What the service says, inside a message of ours: a sentence, and room for the advice after it. */
const REASON_CHARS_MAX = 300;
/** The service's words for its errors have up to thirty characters. */
const TYPE_CHARS_MAX = 100;

interface Said {
  readonly type: string;
  readonly message: string;
}

interface Kind {
  readonly code: ModelFailureCode;
  readonly retriable: boolean;
  readonly say: (reason: string) => string;
}

const UNAVAILABLE: Kind = {
  code: 'MODEL_UNAVAILABLE',
  retriable: true,
  say: (reason) => `The model service failed: ${open(reason)}. Send the message again later.`,
};
const INVALID: Kind = {
  code: 'MODEL_REQUEST_INVALID',
  retriable: false,
  say: (reason) => `The model service did not accept the request: ${reason}`,
};
const KEY_REFUSED: Kind = {
  code: 'MODEL_KEY_REFUSED',
  retriable: false,
  say: (reason) =>
    `The model service refused the key (${open(reason)}). Replace the credential, then send a message.`,
};

/** By the service's own type of error; what is not here goes by its HTTP status. */
const BY_TYPE: Readonly<Record<string, Kind>> = {
  budget_exceeded: { code: 'BUDGET_EXCEEDED', retriable: false, say: (reason) => reason },
  no_credential: { code: 'NO_CREDENTIAL', retriable: false, say: (reason) => reason },
  authentication_error: KEY_REFUSED,
  permission_error: KEY_REFUSED,
  billing_error: {
    code: 'MODEL_KEY_REFUSED',
    retriable: false,
    say: (reason) =>
      `The model service wants its bill settled (${open(reason)}). Do so, or replace the credential.`,
  },
  not_found_error: {
    code: 'MODEL_UNKNOWN',
    retriable: false,
    say: (reason) =>
      `The model service does not know this model (${open(reason)}). Give the agent another one.`,
  },
  overloaded_error: {
    code: 'MODEL_OVERLOADED',
    retriable: true,
    say: (reason) => `The model service is overloaded (${open(reason)}). Send the message again later.`,
  },
  rate_limit_error: {
    code: 'MODEL_RATE_LIMITED',
    retriable: true,
    say: (reason) =>
      `The model service limits the rate of this key (${open(reason)}). Send the message again later.`,
  },
  api_error: UNAVAILABLE,
  timeout_error: UNAVAILABLE,
  invalid_request_error: INVALID,
  [PROMPT_TOO_LONG]: {
    code: 'MODEL_CONTEXT_FULL',
    retriable: false,
    say: (reason) =>
      `The conversation does not fit into the model's context (${open(reason)}). Send less at once, or start a new session.`,
  },
};

const TYPE_BY_STATUS: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  529: 'overloaded_error',
};
/** The service has no type of its own for a request that is larger than the context: it says so in words. */
const TOO_LONG = /prompt is too long|exceeds? (the )?(model's )?(maximum )?context (limit|window|length)/i;
/** Timeouts and conflicts pass, as all of 5xx do. */
const RETRIABLE_STATUSES: ReadonlySet<number> = new Set([408, 409, 429]);

/** Of an answer whose status is an error. */
export function failureOfResponse(status: number, headers: IncomingHttpHeaders, text: string): ModelFailure {
  const said = parseError(text);
  const type = typeOf(
    said?.type ?? TYPE_BY_STATUS[status] ?? (status >= 500 ? 'api_error' : 'invalid_request_error'),
    said?.message,
  );
  const kind = BY_TYPE[type] ?? (status >= 500 ? UNAVAILABLE : INVALID);
  const told = headers['x-should-retry'];
  const passing = kind.retriable || status >= 500 || RETRIABLE_STATUSES.has(status);
  const retriable = told === 'false' ? false : told === 'true' ? true : passing;
  const reason = short(said?.message ?? `HTTP ${status}`);
  return new ModelFailure(kind.code, kind.say(reason), {
    type,
    retriable,
    retryAfterMs: retryAfterMs(headers),
  });
}

/** Of a connection that failed, a stream that was cut, or an error event in the middle of it. */
export function failureOfStream(error: unknown): ModelFailure {
  if (error instanceof ModelFailure) return error;
  if (error instanceof APIError) {
    const said = errorIn(error.error);
    const type = typeOf(said?.type ?? 'api_error', said?.message);
    const kind = BY_TYPE[type] ?? UNAVAILABLE;
    const details = { type, retriable: kind.retriable, cause: error };
    return new ModelFailure(kind.code, kind.say(short(said?.message ?? 'an error in mid-stream')), details);
  }
  if (error instanceof RangeError) {
    // JSON that is nested until the stack ends, or longer than a string may be: the next answer would be as well
    const message = 'The model service sent an answer that cannot be read. Give the agent another model.';
    const details = { type: 'invalid_answer', retriable: false, cause: error };
    return new ModelFailure('MODEL_ANSWER_INVALID', message, details);
  }
  const reason = short(error instanceof Error ? error.message : String(error));
  const details = { type: 'connection_error', retriable: true, cause: error };
  return new ModelFailure('MODEL_UNAVAILABLE', UNAVAILABLE.say(reason), details);
}

function typeOf(type: string, message = ''): string {
  const tooLong = type === 'invalid_request_error' && TOO_LONG.test(message);
  return tooLong || type === 'request_too_large' ? PROMPT_TOO_LONG : type;
}

function retryAfterMs(headers: IncomingHttpHeaders): number | undefined {
  const exact = Number(headers['retry-after-ms'] ?? Number.NaN);
  if (Number.isFinite(exact) && exact >= 0) return exact;
  const after = headers['retry-after'];
  if (after === undefined) return undefined;
  const seconds = Number(after);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(after) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

function parseError(text: string): Said | undefined {
  try {
    return errorIn(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function errorIn(value: unknown): Said | undefined {
  const { error } = (value ?? {}) as { error?: { type?: unknown; message?: unknown } | null }; // checked below
  if (typeof error?.type !== 'string') return undefined;
  const type = error.type.slice(0, TYPE_CHARS_MAX);
  return { type, message: typeof error.message === 'string' ? error.message : type };
}

function short(reason: string): string {
  return reason.length > REASON_CHARS_MAX ? `${reason.slice(0, REASON_CHARS_MAX)}…` : reason;
}

/** Without its full stop: more of the sentence follows. */
function open(reason: string): string {
  return reason.replace(/[.\s]+$/, '');
}
