/**
 * What somebody asks for about an agent's model, checked, and laid over what was set before: undefined leaves a setting as it is, null takes it
 * back. The answer has no fields that are not set, so that equal settings are equal as JSON.
 */
import { InvalidInput } from '../kernel/fault.ts';
import { parseChoice, parseCount } from '../kernel/parse.ts';
import { parseModel } from './model-name.ts';
import {
  CACHE_TTLS,
  EFFORTS,
  type ModelSettings,
  type Thinking,
  THINKING_DISPLAYS,
  THINKING_MODES,
} from './model-plan.ts';

/** Messages API, "Extended thinking": the least budget that it takes. */
const THINKING_BUDGET_TOKENS_MIN = 1_024;
/** Several times what any model writes in one answer today: a slip of the pen is more. */
const OUTPUT_TOKENS_MAX = 1_000_000;
/** Less does not hold a prompt, a few tools and a summary. */
const CONTEXT_WINDOW_MIN = 1_000;
/** Several times the largest window there is. */
const CONTEXT_WINDOW_MAX = 10_000_000;

export interface GivenThinking {
  readonly mode: string;
  readonly budgetTokens?: number | null | undefined;
  readonly display?: string | null | undefined;
}

export interface GivenSettings {
  readonly effort?: string | null | undefined;
  /** Replaces all that was said about thinking. */
  readonly thinking?: GivenThinking | null | undefined;
  readonly maxOutputTokens?: number | null | undefined;
  readonly contextWindow?: number | null | undefined;
  readonly cacheTtl?: string | null | undefined;
  readonly fallbackModel?: string | null | undefined;
}

/** `model` is the agent's own after the change. Throws InvalidInput naming the setting. */
export function settingsAfter(before: ModelSettings, given: GivenSettings, model: string): ModelSettings {
  const { effort, thinking, maxOutputTokens, contextWindow, cacheTtl, fallbackModel } = given;
  const after: ModelSettings = {
    effort: kept(before.effort, effort, (text) => parseChoice('effort', text, EFFORTS)),
    thinking: kept(before.thinking, thinking, parseThinking),
    maxOutputTokens: kept(before.maxOutputTokens, maxOutputTokens, (tokens) =>
      parseCount('maxOutputTokens', tokens, 1, OUTPUT_TOKENS_MAX),
    ),
    contextWindow: kept(before.contextWindow, contextWindow, (tokens) =>
      parseCount('contextWindow', tokens, CONTEXT_WINDOW_MIN, CONTEXT_WINDOW_MAX),
    ),
    cacheTtl: kept(before.cacheTtl, cacheTtl, (text) => parseChoice('cacheTtl', text, CACHE_TTLS)),
    fallbackModel: kept(before.fallbackModel, fallbackModel, (text) => text),
  };
  checkBudget(after);
  if (after.fallbackModel !== undefined) checkFallback(after.fallbackModel, model);
  return withoutUnset(after);
}

function kept<Given, Set>(
  before: Set | undefined,
  given: Given | null | undefined,
  parse: (given: Given) => Set | undefined,
): Set | undefined {
  if (given === undefined) return before;
  return given === null ? undefined : parse(given);
}

function parseThinking(given: GivenThinking): Thinking {
  const mode = parseChoice('thinking.mode', given.mode, THINKING_MODES);
  const display = given.display ?? undefined;
  const budgetTokens = parseCount(
    'thinking.budgetTokens',
    given.budgetTokens ?? undefined,
    THINKING_BUDGET_TOKENS_MIN,
    OUTPUT_TOKENS_MAX,
  );
  if (mode === 'budget' && budgetTokens === undefined)
    throw new InvalidInput('thinking.budgetTokens', 'the mode BUDGET needs a budget.');
  if (mode !== 'budget' && budgetTokens !== undefined)
    throw new InvalidInput('thinking.budgetTokens', 'only the mode BUDGET has a budget; leave it out.');
  if (mode === 'off' && display !== undefined)
    throw new InvalidInput('thinking.display', 'the mode OFF has nothing to display; leave it out.');
  return withoutUnset({
    mode,
    budgetTokens,
    display: display === undefined ? undefined : parseChoice('thinking.display', display, THINKING_DISPLAYS),
  });
}

/** The Messages API takes a budget only where it leaves room for an answer. */
function checkBudget({ thinking, maxOutputTokens }: ModelSettings): void {
  const budget = thinking?.budgetTokens;
  if (budget === undefined || maxOutputTokens === undefined || budget < maxOutputTokens) return;
  throw new InvalidInput(
    'thinking.budgetTokens',
    `expected less than maxOutputTokens, which is ${maxOutputTokens}: the answer needs room too.`,
  );
}

/** One key opens both: a session has one credential. */
function checkFallback(fallback: string, model: string): void {
  const { provider } = parseModel(model);
  if (parseModel(fallback, 'fallbackModel').provider !== provider) {
    throw new InvalidInput('fallbackModel', `expected a model of ${provider}, as the agent's own is.`);
  }
  if (fallback === model)
    throw new InvalidInput('fallbackModel', "expected another model than the agent's own.");
}

function withoutUnset<T extends object>(given: T): T {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T; // only optional fields go
}
