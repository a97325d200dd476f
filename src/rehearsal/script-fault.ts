/** What happens to the first attempts of a request in place of its answer. */
import {
  readBoolean,
  readNumber,
  readObject,
  readText,
  ScriptFields,
  ScriptInvalid,
} from './script-field.ts';

/** Plays for the first `times` attempts of the same request, then the next fault, then the answer. */
export type ScriptFault = { readonly times: number } & (
  | StatusFault
  | (ErrorEvent & { readonly kind: 'error'; readonly afterTokens: number })
  /** The connection is cut. */
  | { readonly kind: 'cut'; readonly afterTokens: number }
  /** The answer ends as if it were complete, and is not. */
  | { readonly kind: 'end'; readonly afterTokens: number }
  | { readonly kind: 'hang'; readonly afterTokens: number }
);

export interface StatusFault {
  readonly kind: 'status';
  readonly status: number;
  /** The one that goes with the status if left out. */
  readonly type?: string | undefined;
  readonly message?: string | undefined;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  readonly retryAfterMs?: number | undefined;
  /** In place of those that the service would send, by their names in small letters. */
  readonly headers: Readonly<Record<string, string>>;
  /** In place of an error in the service's form: what a proxy before it says, for example. */
  readonly body?: string | undefined;
}

/** An `error` event in mid-stream. */
export interface ErrorEvent {
  readonly type: string;
  readonly message?: string | undefined;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

const FIELDS = [
  'status',
  'type',
  'message',
  'details',
  'retryAfterMs',
  'headers',
  'body',
  'error',
  'cut',
  'end',
  'hang',
  'afterTokens',
  'times',
];

export function readFault(where: string, value: unknown): ScriptFault {
  const given = new ScriptFields(where, value, FIELDS);
  const times = given.get('times', readNumber) ?? 1;
  const afterTokens = given.get('afterTokens', readNumber) ?? 0;
  if (given.has('status')) return { ...readStatus(given), times };
  if (given.has('error')) {
    const told = { message: given.get('message', readText), details: given.get('details', readObject) };
    return { kind: 'error', type: given.need('error', readText), ...told, afterTokens, times };
  }
  for (const kind of ['cut', 'end', 'hang'] as const)
    if (given.get(kind, readBoolean) === true) return { kind, afterTokens, times };
  throw new ScriptInvalid(where, 'one of "status", "error", "cut": true, "end": true and "hang": true');
}

function readStatus(given: ScriptFields): StatusFault {
  const body = given.get('body', readText);
  const status = given.need('status', readNumber);
  const least = body === undefined ? 400 : 200;
  if (!Number.isInteger(status) || status < least || status > 599) {
    const more = body === undefined ? ', or from 200 with a "body"' : '';
    throw new ScriptInvalid(`${given.where}.status`, `a status from ${least} to 599${more}`);
  }
  return {
    kind: 'status',
    status,
    type: given.get('type', readText),
    message: given.get('message', readText),
    details: given.get('details', readObject),
    retryAfterMs: given.get('retryAfterMs', readNumber),
    headers: given.get('headers', readHeaders) ?? {},
    body,
  };
}

/** What HTTP allows there; a line break would end the head. */
const HEADER = /^[!#$%&'*+\-.^_`|~0-9a-z]+: [\t\x20-\x7e]*$/;

export function readHeaders(where: string, value: unknown): Readonly<Record<string, string>> {
  const headers = readObject(where, value);
  const entries = Object.entries(headers).map(([name, text]) => {
    const header = [name.toLowerCase(), readText(`${where}.${name}`, text)] as const;
    if (!HEADER.test(header.join(': '))) throw new ScriptInvalid(`${where}.${name}`, 'a header of HTTP');
    return header;
  });
  return Object.fromEntries(entries);
}
