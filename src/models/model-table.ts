/**
 * What the known models can do, and what of it a session's model is called with. As of 2026-11-26, from the pages of
 * platform.claude.com: models/overview and each model's own, build-with-claude/{context-windows,effort,thinking,prompt-caching};
 * for models that are retired there and still served elsewhere, from the pages of their time.
 *
 * A model that is not here gets the defaults, and is asked for just what its agent says.
 */
import type { ModelPlan, ModelSettings } from '../sessions/model-plan.ts';
import { planThinking, type ThinkingFacts } from './thinking-plan.ts';

export interface ModelFacts extends ThinkingFacts {
  /** Tokens. */
  readonly contextWindow: number;
  /** The largest max_tokens. */
  readonly outputTokensMax: number;
  /** The shortest prompt that is cached, in tokens. */
  readonly cacheTokensMin: number;
}

const ALL = ['low', 'medium', 'high', 'xhigh', 'max'] as const;
const WITHOUT_XHIGH = ['low', 'medium', 'high', 'max'] as const;

/** Thinks always, and shows none of it unless asked to. */
const CURRENT: ModelFacts = {
  contextWindow: 1_000_000,
  outputTokensMax: 128_000,
  cacheTokensMin: 512,
  modes: ['adaptive'],
  mode: 'adaptive',
  display: 'omitted',
  efforts: ALL,
};
/** Thinks when it is asked to. */
const OPUS_4_8: ModelFacts = { ...CURRENT, cacheTokensMin: 1_024, modes: ['adaptive', 'off'], mode: 'off' };
const OPUS_4_6: ModelFacts = {
  ...CURRENT,
  cacheTokensMin: 4_096,
  modes: ['adaptive', 'budget', 'off'],
  mode: 'off',
  display: 'summarized',
  efforts: WITHOUT_XHIGH,
};
/** The models that think by a budget only. */
const SONNET_4_5: ModelFacts = {
  contextWindow: 200_000,
  outputTokensMax: 64_000,
  cacheTokensMin: 1_024,
  modes: ['budget', 'off'],
  mode: 'off',
  display: 'summarized',
  efforts: [],
};
const OPUS_4: ModelFacts = { ...SONNET_4_5, outputTokensMax: 32_000 };
const CLAUDE_3_5: ModelFacts = { ...SONNET_4_5, outputTokensMax: 8_192, modes: [] };
const CLAUDE_3: ModelFacts = { ...CLAUDE_3_5, outputTokensMax: 4_096 };

/** By the name that the model's service gives it, without date, version and whoever else serves it. */
export const MODELS: Readonly<Record<string, ModelFacts>> = {
  'claude-fable-5-2': CURRENT,
  'claude-fable-5-1': CURRENT,
  'claude-fable-5': CURRENT,
  'claude-mythos-5-2': CURRENT,
  'claude-mythos-5-1': CURRENT,
  'claude-mythos-5': CURRENT,
  'claude-mythos-preview': { ...CURRENT, modes: ['adaptive', 'budget'], efforts: WITHOUT_XHIGH },
  'claude-opus-5-5': CURRENT,
  'claude-opus-5': { ...CURRENT, modes: ['adaptive', 'off'], offEffortMax: 'high' },
  'claude-opus-4-8': OPUS_4_8,
  'claude-opus-4-7': { ...OPUS_4_8, cacheTokensMin: 2_048 },
  'claude-opus-4-6': OPUS_4_6,
  'claude-opus-4-5': { ...SONNET_4_5, cacheTokensMin: 4_096, efforts: ['low', 'medium', 'high'] },
  'claude-opus-4-1': OPUS_4,
  'claude-opus-4': OPUS_4,
  'claude-opus-4-0': OPUS_4,
  'claude-sonnet-5-5': CURRENT,
  'claude-sonnet-5': { ...CURRENT, cacheTokensMin: 1_024, modes: ['adaptive', 'off'] },
  'claude-sonnet-4-6': { ...OPUS_4_6, cacheTokensMin: 1_024 },
  'claude-sonnet-4-5': SONNET_4_5,
  'claude-sonnet-4': SONNET_4_5,
  'claude-sonnet-4-0': SONNET_4_5,
  'claude-3-7-sonnet': SONNET_4_5,
  'claude-3-5-sonnet': CLAUDE_3_5,
  'claude-haiku-5-5': { ...CURRENT, modes: ['adaptive', 'off'], offEffortMax: 'high' },
  'claude-haiku-4-5': { ...SONNET_4_5, cacheTokensMin: 4_096 },
  'claude-3-5-haiku': CLAUDE_3_5,
  'claude-3-haiku': CLAUDE_3,
  'claude-3-opus': CLAUDE_3,
};

/** What every current model has. A larger window is used only in part, which costs a summary and breaks nothing. */
const CONTEXT_WINDOW_DEFAULT = 200_000;
/** Tokens of one answer: a long file, and no more than a model that is not known may allow. */
const OUTPUT_TOKENS_DEFAULT = 32_000;
/**
 * Tokens of one answer where a model allows 128,000: its thinking counts as well, so it gets more than others do; all of it would
 * let one answer that runs away write for an hour, and is room that the conversation cannot use.
 */
const OUTPUT_TOKENS_LARGE = 64_000;
/** An answer takes this part of the window at most, unless the agent says more: the rest is for what it is an answer to. */
const OUTPUT_PART_OF_WINDOW = 4;

/** Context windows in tokens by model, as a deployment sets them (HOLDFAST_CONTEXT_WINDOWS). */
export type ContextWindows = ReadonlyMap<string, number>;
const NO_WINDOWS: ContextWindows = new Map();

/** `name` is the model's own, without the provider. What is asked for and the model does not take becomes the nearest that it does. */
export function planOf(
  name: string,
  settings: ModelSettings = {},
  windows: ContextWindows = NO_WINDOWS,
): ModelPlan {
  const facts = factsOf(name);
  const contextWindow =
    settings.contextWindow ?? windows.get(name) ?? facts?.contextWindow ?? CONTEXT_WINDOW_DEFAULT;
  const wanted = settings.maxOutputTokens ?? outputTokensOf(facts, settings, contextWindow);
  const outputTokensMax = Math.min(wanted, facts?.outputTokensMax ?? Infinity, contextWindow);
  return {
    name,
    contextWindow,
    outputTokensMax,
    ...planThinking(facts, settings, outputTokensMax),
    cacheTtl: settings.cacheTtl ?? '5m',
  };
}

/** A budget of thinking comes on top, where the model is known to allow it. */
function outputTokensOf(
  facts: ModelFacts | undefined,
  { thinking }: ModelSettings,
  contextWindow: number,
): number {
  const isLarge = facts !== undefined && facts.outputTokensMax > OUTPUT_TOKENS_LARGE;
  const usual = isLarge ? OUTPUT_TOKENS_LARGE : OUTPUT_TOKENS_DEFAULT;
  const budget = facts?.modes.includes('budget') && thinking?.mode === 'budget' ? thinking.budgetTokens : 0;
  return Math.max(1, Math.min(usual + (budget ?? 0), Math.floor(contextWindow / OUTPUT_PART_OF_WINDOW)));
}

/**
 * Undefined for a model that is not known. One model has many names: `claude-x-20260101`, `claude-x-latest`, `claude-x@20260101`
 * (Google), `us.anthropic.claude-x-20260101-v1:0` and its ARN (Amazon), `anthropic/claude-x.y` (proxies).
 */
export function factsOf(name: string): ModelFacts | undefined {
  const own = /claude-[a-z0-9.-]+/.exec(name.slice(name.lastIndexOf('/') + 1).toLowerCase())?.[0];
  const plain = own
    ?.replace(/(-v\d+)?$/, '')
    .replace(/-(\d{8}|latest)$/, '')
    .replaceAll('.', '-');
  return plain !== undefined && Object.hasOwn(MODELS, plain) ? MODELS[plain] : undefined;
}
