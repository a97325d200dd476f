/** What the known models can do, and how a session's model is called. */
import type { ModelPlan, ModelSettings } from '../sessions/model-plan.ts';

/** What every current model has. A larger window is used only in part, which costs a summary and breaks nothing. */
const CONTEXT_WINDOW_DEFAULT = 200_000;
/** Tokens of one answer: what every current model allows. */
const OUTPUT_TOKENS_DEFAULT = 32_000;

/** `name` is the model's own, without the provider. */
export function planOf(name: string, settings: ModelSettings = {}): ModelPlan {
  return {
    name,
    contextWindow: settings.contextWindow ?? CONTEXT_WINDOW_DEFAULT,
    outputTokensMax: settings.maxOutputTokens ?? OUTPUT_TOKENS_DEFAULT,
    effort: settings.effort,
    thinking: settings.thinking,
    cacheTtl: settings.cacheTtl ?? '5m',
  };
}
