/**
 * The port to a language model, in the brain's own words; platform/anthropic/model.ts implements it. One call is one
 * request and its whole streamed answer: `answer` resolves only after the service said that the answer is complete, so
 * nothing of a failed attempt can be taken for final.
 */
import type { Tool } from '../hands/tool.ts';
export type AnswerBlock =
  | { readonly kind: 'thinking'; readonly text: string; readonly signature?: string | undefined }
  /** Encrypted thinking: opaque, given back unchanged. */
  | { readonly kind: 'redacted'; readonly data: string }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'tool'; readonly toolUseId: string; readonly tool: string; readonly input: unknown };

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
export type ToolSpec = Pick<Tool, 'name' | 'description' | 'schema'>;

export interface ModelRequest {
  /** Ties the request to its journalled call, for metering. */
  readonly callId: string;
  readonly model: string;
  readonly system: string;
  readonly messages: readonly ModelMessage[];
  readonly tools: readonly ToolSpec[];
  /** False: the tools stay in the request (it is then a prefix that is cached), but must not be used. */
  readonly toolsAllowed: boolean;
  readonly outputTokensMax: number;
}

export interface ModelAnswer {
  /** In the order in which the model wrote them. */
  readonly blocks: readonly AnswerBlock[];
  /** As the service says it, for example `end_turn`. */
  readonly stopReason: string;
}

export interface Model {
  /**
   * Rejects with ModelFailure when the service refuses or fails, with UnitRefusal when the unit door does, and with
   * anything when `signal` is aborted. `onText` gets each piece of text as it comes and must not block.
   */
  answer(request: ModelRequest, signal: AbortSignal, onText: (text: string) => void): Promise<ModelAnswer>;
}

/**
 * The type of the failure MODEL_CONTEXT_FULL, and the stop reason under which a call is journalled that the service
 * refused for it: the request is larger than the model's context, and nothing but a shorter one will do.
 */
export const PROMPT_TOO_LONG = 'prompt_too_long';

export type ModelFailureCode =
  | 'MODEL_KEY_REFUSED'
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
  | 'BUDGET_EXCEEDED';

/** A model call that failed. `message` is one sentence for the user that says what to do. */
export class ModelFailure extends Error {
  readonly code: ModelFailureCode;
  /** The service's own word for it, for example `overloaded_error`. */
  readonly type: string;
  /** Whether the same request may work when it is made again. */
  readonly retriable: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ModelFailureCode,
    message: string,
    details: { type: string; retriable: boolean; retryAfterMs?: number | undefined; cause?: unknown },
  ) {
    super(message, { cause: details.cause });
    this.name = 'ModelFailure';
    this.code = code;
    this.type = details.type;
    this.retriable = details.retriable;
    this.retryAfterMs = details.retryAfterMs;
  }
}
