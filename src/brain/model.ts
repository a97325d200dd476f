/**
 * The port to a language model, in the brain's own words; platform/anthropic/model.ts implements it. One call is one
 * request and its whole streamed answer: `answer` resolves only after the service said that the answer is complete, so
 * nothing of a failed attempt can be taken for final.
 */
import type { Tool } from '../hands/tool.ts';
import type { ModelPlan } from '../sessions/model-plan.ts';
import type { JsonSchema } from '../sessions/tool-schema.ts';

/**
 * Of the id of a tool call, which the log keeps and the service gets back as it is, where it can be sent. The service's own
 * ids have thirty characters, and it names no bound; some proxies put state of theirs into them.
 */
export const TOOL_USE_ID_CHARS_MAX = 1_024;

export type AnswerBlock =
  | { readonly kind: 'thinking'; readonly text: string; readonly signature?: string | undefined }
  /** Encrypted thinking: opaque, given back unchanged. */
  | { readonly kind: 'redacted'; readonly data: string }
  | { readonly kind: 'text'; readonly text: string }
  | {
      readonly kind: 'tool';
      readonly toolUseId: string;
      readonly tool: string;
      /** An object: what the model wrote, or `{}` where that was none. */
      readonly input: unknown;
      /** What is wrong with the call, in words for the model: it is not made, and this is its result. */
      readonly defect?: string | undefined;
    };

export type InputBlock =
  | { readonly kind: 'text'; readonly text: string }
  | {
      readonly kind: 'result';
      readonly toolUseId: string;
      readonly output: string;
      readonly failed: boolean;
    };

export type ModelMessage =
  | { readonly role: 'user'; readonly blocks: readonly InputBlock[] }
  | { readonly role: 'assistant'; readonly blocks: readonly AnswerBlock[] };

/** What the model is told about a tool; `schema` is JSON Schema of an object. */
export type ToolSpec = Pick<Tool, 'name' | 'description'> & { readonly schema: Tool['schema'] | JsonSchema };

export interface ModelRequest {
  /** Ties the request to its journalled call, for metering. */
  readonly callId: string;
  readonly plan: ModelPlan;
  readonly system: string;
  readonly messages: readonly ModelMessage[];
  readonly tools: readonly ToolSpec[];
  /**
   * none: the model may make no call. What it may choose is part of what the service caches, so another choice than in the
   * requests before throws their messages away: only for a request that has nothing to read from the cache.
   */
  readonly toolChoice?: 'none' | undefined;
}

/** Gets each piece of an answer as it comes. Must not block, and must not throw. */
export interface AnswerSink {
  text(piece: string): void;
  thinking(piece: string): void;
}

export interface ModelAnswer {
  /** In the order in which the model wrote them. */
  readonly blocks: readonly AnswerBlock[];
  /** As the service says it, for example `end_turn`. */
  readonly stopReason: string;
  /** Of the stop reason `refusal`, as far as the service says. */
  readonly refusal?:
    | { readonly category?: string | undefined; readonly explanation?: string | undefined }
    | undefined;
  /** The service's own id of the request. */
  readonly requestId?: string | undefined;
}

export interface Model {
  /**
   * Rejects with ModelFailure when the service refuses or fails, with UnitRefusal when the unit endpoint does, and with
   * anything when `signal` is aborted. What `sink` got of an attempt that rejects is all that there is of its answer.
   */
  answer(request: ModelRequest, signal: AbortSignal, sink: AnswerSink): Promise<ModelAnswer>;
}

/**
 * The type of the failure MODEL_CONTEXT_FULL, and the stop reason under which a call is journalled that the service
 * refused for it: the request is larger than the model's context, and nothing but a shorter one will do.
 */
export const PROMPT_TOO_LONG = 'prompt_too_long';

export type ModelFailureCode =
  | 'MODEL_KEY_REFUSED'
  /** A spending limit of the account is reached. */
  | 'MODEL_SPEND_LIMIT'
  /** The account has no credit, or its bill is not settled. */
  | 'MODEL_NO_CREDIT'
  | 'MODEL_ACCOUNT_ON_HOLD'
  | 'MODEL_UNKNOWN'
  | 'MODEL_OVERLOADED'
  | 'MODEL_RATE_LIMITED'
  | 'MODEL_UNAVAILABLE'
  | 'MODEL_REQUEST_INVALID'
  | 'MODEL_REFUSED'
  | 'MODEL_CONTEXT_FULL'
  | 'MODEL_ANSWER_INVALID'
  | 'MODEL_ANSWER_TOO_LARGE'
  | 'NO_CREDENTIAL'
  | 'NO_PRICE'
  | 'BUDGET_EXCEEDED';

/** Indices into ModelRequest.messages and the blocks of that message. */
export interface MessagePlace {
  readonly message: number;
  readonly block?: number | undefined;
}

/** A model call that failed. `message` is one sentence for the user that says what to do. */
export class ModelFailure extends Error {
  readonly code: ModelFailureCode;
  /** The service's own word for it, for example `overloaded_error`. */
  readonly type: string;
  /** Whether the same request may work when it is made again. */
  readonly retriable: boolean;
  /** What the service asked for. Absent, or 0: one's own pace. */
  readonly retryAfterMs: number | undefined;
  /** Where in ModelRequest.messages the service sees the fault, when it says so. */
  readonly place: MessagePlace | undefined;
  readonly requestId: string | undefined;
  /** Text of an answer that is not what was asked for, where it is of use all the same. */
  readonly wrote: string | undefined;

  constructor(
    code: ModelFailureCode,
    message: string,
    details: {
      type: string;
      retriable: boolean;
      retryAfterMs?: number | undefined;
      place?: MessagePlace | undefined;
      requestId?: string | undefined;
      wrote?: string | undefined;
      cause?: unknown;
    },
  ) {
    super(message, { cause: details.cause });
    this.name = 'ModelFailure';
    this.code = code;
    this.type = details.type;
    this.retriable = details.retriable;
    this.retryAfterMs = details.retryAfterMs;
    this.place = details.place;
    this.requestId = details.requestId;
    this.wrote = details.wrote;
  }
}
