/**
 * How a model is called: what an agent may ask for (ModelSettings, part of its revision), and what comes of it for one model
 * (ModelPlan, which a brain is told). models/model-table.ts makes the second from the first.
 */

/** As the Messages API has them (output_config.effort), least first. */
export const EFFORTS = ['low', 'medium', 'high', 'xhigh', 'max'] as const;
export type Effort = (typeof EFFORTS)[number];

export const THINKING_MODES = ['off', 'adaptive', 'budget'] as const;
export type ThinkingMode = (typeof THINKING_MODES)[number];

/** summarized: thinking is shown as text. omitted: it is only signed. */
export const THINKING_DISPLAYS = ['summarized', 'omitted'] as const;
export type ThinkingDisplay = (typeof THINKING_DISPLAYS)[number];

export interface Thinking {
  readonly mode: ThinkingMode;
  /** Tokens; only of the mode budget, and there always set. */
  readonly budgetTokens?: number | undefined;
  readonly display?: ThinkingDisplay | undefined;
}

/** How long the service keeps a cached prefix: 1h suits sessions that wait for people. */
export const CACHE_TTLS = ['5m', '1h'] as const;
export type CacheTtl = (typeof CACHE_TTLS)[number];

/** What an agent may set about its model. What is absent is as the model has it. */
export interface ModelSettings {
  readonly effort?: Effort | undefined;
  readonly thinking?: Thinking | undefined;
  /** Tokens of one answer. */
  readonly maxOutputTokens?: number | undefined;
  /** Tokens that fit into the model's context, where models/model-table.ts does not know it or knows it wrong. */
  readonly contextWindow?: number | undefined;
  readonly cacheTtl?: CacheTtl | undefined;
  /** `provider/name` of the same provider: takes over when the model is not to be had or declines. */
  readonly fallbackModel?: string | undefined;
}

export interface ModelPlan {
  /** The model's own name, without the provider. */
  readonly name: string;
  /** Tokens. */
  readonly contextWindow: number;
  /** Tokens of one answer, thinking included. */
  readonly outputTokensMax: number;
  readonly effort?: Effort | undefined;
  /** Absent: nothing is said about thinking, and the model does what it does. */
  readonly thinking?: Thinking | undefined;
  readonly cacheTtl: CacheTtl;
}
