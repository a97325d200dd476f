/** The kinds of failures of a model call, and how one is recognised by what the service says. */
import { type ModelFailureCode, PROMPT_TOO_LONG } from '../../brain/model.ts';
import { isContextOverflow, speaksOfRate } from './context-overflow.ts';
import { type Said, wordsOf } from './said.ts';

export interface Kind {
  readonly code: ModelFailureCode;
  /** Whether the same request may work when it is made again. `never`: whatever the service says. */
  readonly retriable: boolean | 'never';
  /** The type of the failure, where it is not the service's own word. */
  readonly type?: string;
  readonly say: (reason: string, said: Said) => string;
}

export const UNAVAILABLE: Kind = {
  code: 'MODEL_UNAVAILABLE',
  retriable: true,
  say: (reason) => `The model service failed: ${open(reason)}. Send the message again later.`,
};
export const INVALID: Kind = {
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
const UNKNOWN: Kind = {
  code: 'MODEL_UNKNOWN',
  retriable: false,
  say: (reason, said) =>
    `The model service does not know this model (${open(reason)}). Give the agent another one${said.type === undefined ? ', and check the base URL' : ''}.`,
};
const OVERLOADED: Kind = {
  code: 'MODEL_OVERLOADED',
  retriable: true,
  say: (reason) => `The model service is overloaded (${open(reason)}). Send the message again later.`,
};
const RATE_LIMITED: Kind = {
  code: 'MODEL_RATE_LIMITED',
  retriable: true,
  say: (reason) =>
    `The model service limits the rate of this key (${open(reason)}). Send the message again later.`,
};
const CONTEXT_FULL: Kind = {
  code: 'MODEL_CONTEXT_FULL',
  retriable: 'never',
  type: PROMPT_TOO_LONG,
  say: (reason) =>
    `The conversation does not fit into the model's context (${open(reason)}). Send less at once, or start a new session.`,
};
/** "You will regain access on …" is part of what the service says. */
const SPEND_LIMIT: Kind = {
  code: 'MODEL_SPEND_LIMIT',
  retriable: 'never',
  say: (reason) =>
    `The spending limit of the model service's account is reached (${open(reason)}). Raise it there or wait until then, then send the message again.`,
};
const NO_CREDIT: Kind = {
  code: 'MODEL_NO_CREDIT',
  retriable: 'never',
  say: (reason) =>
    `The account of the model service has no credit (${open(reason)}). Settle its bill or replace the credential, then send the message again.`,
};
const ON_HOLD: Kind = {
  code: 'MODEL_ACCOUNT_ON_HOLD',
  retriable: 'never',
  say: (reason, { appealUrl }) => {
    const appeal = appealUrl === undefined ? '' : `, or appeal at ${appealUrl}`;
    return `The model service has put the account on hold (${open(reason)}). Ask its support${appeal}, or replace the credential.`;
  },
};
const BLOCKED: Kind = {
  code: 'MODEL_REFUSED',
  retriable: 'never',
  say: (reason) => `The model service blocked the answer (${open(reason)}). Ask in another way.`,
};

/** The gateway's word (GATEWAY-9): of an answer that has begun, it can say so in the stream alone. */
const TOO_LARGE: Kind = {
  code: 'MODEL_ANSWER_TOO_LARGE',
  retriable: 'never',
  say: (reason) =>
    `The answer of the model service is larger than an answer may be (${open(reason)}). Ask for less at once, or give the agent another model.`,
};

/** Of the gateway: its own types, which a service's proxies may use as well (LiteLLM has budget_exceeded). */
const OWN: Readonly<Record<string, Kind>> = {
  budget_exceeded: { code: 'BUDGET_EXCEEDED', retriable: 'never', say: (reason) => reason },
  not_planned: { code: 'MODEL_REQUEST_INVALID', retriable: 'never', say: (reason) => reason },
  too_many_calls: { code: 'MODEL_REQUEST_INVALID', retriable: 'never', say: (reason) => reason },
  answer_too_large: TOO_LARGE,
  no_price: { code: 'NO_PRICE', retriable: 'never', say: (reason) => reason },
  no_credential: { code: 'NO_CREDENTIAL', retriable: 'never', say: (reason) => reason },
};

/** By the service's own type of error. */
const BY_TYPE: Readonly<Record<string, Kind>> = {
  authentication_error: KEY_REFUSED,
  permission_error: KEY_REFUSED,
  billing_error: NO_CREDIT,
  not_found_error: UNKNOWN,
  overloaded_error: OVERLOADED,
  rate_limit_error: RATE_LIMITED,
  api_error: UNAVAILABLE,
  timeout_error: UNAVAILABLE,
  answer_too_large: TOO_LARGE,
  [PROMPT_TOO_LONG]: CONTEXT_FULL,
};
/** Where the type is none of these, as most services' are. */
const BY_STATUS: Readonly<Record<number, Kind>> = {
  401: KEY_REFUSED,
  402: NO_CREDIT,
  403: KEY_REFUSED,
  404: UNKNOWN,
  429: RATE_LIMITED,
  529: OVERLOADED,
};
const TYPE_BY_STATUS: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  529: 'overloaded_error',
};

/** Messages API: details.error_code, or "You have reached your specified API usage limits. You will regain access on …" (claude-code #2127, #38035). */
const SPENT =
  /enforced_spend_limit|reached your (specified |workspace )?api usage limits|(spend|spending|usage) limit (has been |was )?(reached|exceeded)|(exceeded|reached) (your|the) ([a-z]+ )?(spend|spending) limit/i;
/** Messages API: "Your credit balance is too low"; OpenAI insufficient_quota; DeepSeek "Insufficient Balance"; OpenRouter "requires more credits". */
const CREDITLESS =
  /credit balance is too low|insufficient[_ ](quota|balance|credits?|funds)|requires more credits|exceeded_current_quota|exceeded your current quota/i;
/** Messages API: "This organization has been disabled." (claude-code #72457), details.error_code organization_on_hold. */
const HELD =
  /(organization|account) (has been|is) (disabled|suspended|on hold|deactivated)|organization_on_hold|account_(on_hold|suspended|deactivated)/i;
/** Messages API: "Output blocked by content filtering policy"; Azure: content_filter. */
const FILTERED = /blocked by content filter|content[_ ]filter(ing)? policy|\bcontent_filter\b/i;
/** Bedrock: "The provided model identifier is invalid."; OpenAI and others: "The model `x` does not exist". */
const MODELLESS =
  /model identifier is invalid|\bmodel\b.{0,100} (does not exist|not found)|(unknown|invalid) model\b/i;
/** What is said about a key, a model or the load is about that, whatever its words resemble. */
const NEVER_TOO_LONG: ReadonlySet<Kind | undefined> = new Set([
  KEY_REFUSED,
  NO_CREDIT,
  UNKNOWN,
  OVERLOADED,
  TOO_LARGE,
]);

/** Of a refusal of the gateway; undefined where it speaks as the service would. */
export function kindOfGateway({ type = '' }: Said): Kind | undefined {
  return OWN[type];
}

/** `status` is undefined for an error in mid-stream. */
export function kindOf(said: Said, status: number | undefined): Kind {
  const words = wordsOf(said);
  if (HELD.test(words)) return ON_HOLD;
  if (SPENT.test(words)) return SPEND_LIMIT;
  if (CREDITLESS.test(words)) return NO_CREDIT;
  if (FILTERED.test(words)) return BLOCKED;
  const typed = BY_TYPE[said.type ?? ''];
  const given = typed ?? BY_STATUS[status ?? 0];
  const tooLarge = status === 413 || said.type === 'request_too_large';
  if (tooLarge && typed === undefined) return speaksOfRate(words) ? RATE_LIMITED : CONTEXT_FULL;
  if (!NEVER_TOO_LONG.has(typed) && isContextOverflow(words)) return CONTEXT_FULL;
  if (given !== undefined) return given;
  if (status === 400 && MODELLESS.test(words)) return UNKNOWN;
  if (said.type === 'invalid_request_error') return INVALID;
  return status === undefined || status >= 500 ? UNAVAILABLE : INVALID;
}

/** The service's word for the failure, or the one that it would have for that status. */
export function typeOf(said: Said, status: number | undefined, kind: Kind): string {
  if (kind.type !== undefined) return kind.type;
  if (said.type !== undefined) return said.type;
  if (status === undefined) return 'api_error';
  return TYPE_BY_STATUS[status] ?? (status >= 500 ? 'api_error' : 'invalid_request_error');
}

/** Without its full stop: more of the sentence follows. */
function open(reason: string): string {
  return reason.replace(/[.\s]+$/, '');
}
