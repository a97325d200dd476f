/**
 * What a model is told about thinking and effort: what the agent asks for where the model takes it, the nearest that the model
 * does take otherwise. The service refuses every other request, so none is made.
 */
import {
  EFFORTS,
  type Effort,
  type ModelPlan,
  type ModelSettings,
  type Thinking,
  type ThinkingDisplay,
  type ThinkingMode,
} from '../sessions/model-plan.ts';

/** What a model takes of thinking and effort. */
export interface ThinkingFacts {
  /** The modes that are accepted; none: the model does not think, and nothing may be said about it. */
  readonly modes: readonly ThinkingMode[];
  /** What it does when nothing is said. */
  readonly mode: ThinkingMode;
  /** What of its thinking it shows when nothing is said. */
  readonly display: ThinkingDisplay;
  /** The efforts that are accepted, least first; none: nothing may be said about it. */
  readonly efforts: readonly Effort[];
  /** The most effort with which thinking may be off; absent: any. */
  readonly offEffortMax?: Effort | undefined;
}

/** The service's own least budget. */
const BUDGET_TOKENS_MIN = 1_024;
/** Room for a hard step; the model need not use it. */
const BUDGET_TOKENS_DEFAULT = 16_000;
/** What a budget leaves of an answer at least, where there is that much: thinking that fills it says nothing. */
const ANSWER_TOKENS_MIN = 1_024;

type Planned = Pick<ModelPlan, 'effort' | 'thinking'>;

/** `facts` is undefined for a model that is not known: it is asked for what its agent says. */
export function planThinking(
  facts: ThinkingFacts | undefined,
  settings: ModelSettings,
  outputTokensMax: number,
): Planned {
  const asked = settings.thinking;
  const effort = nearestEffort(facts, settings.effort);
  if (facts === undefined) return { effort, thinking: fitted(asked, outputTokensMax) };
  if (asked === undefined) return { effort, thinking: shown(facts) };
  const thinking = nearestThinking(facts, asked, outputTokensMax);
  // A model that cannot but think thinks least with the least effort.
  if (asked.mode === 'off' && thinking?.mode === 'adaptive')
    return { effort: effort ?? facts.efforts[0], thinking };
  const isCapped = thinking?.mode === 'off' && facts.offEffortMax !== undefined;
  return { effort: isCapped ? atMost(effort, facts.offEffortMax) : effort, thinking };
}

/** Models that think without being asked and show nothing look dead between their tool calls: people see what they think. */
function shown({ mode, display, modes }: ThinkingFacts): Thinking | undefined {
  return mode === 'adaptive' && display === 'omitted' && modes.length > 0
    ? { mode, display: 'summarized' }
    : undefined;
}

function nearestThinking(
  facts: ThinkingFacts,
  asked: Thinking,
  outputTokensMax: number,
): Thinking | undefined {
  const { modes } = facts;
  const display = asked.display ?? (facts.display === 'omitted' ? 'summarized' : undefined);
  const budget = fitted({ ...asked, mode: 'budget', display }, outputTokensMax);
  const adaptive: Thinking = { mode: 'adaptive', display };
  const off: Thinking = { mode: 'off' };
  const order = {
    off: [off, adaptive],
    adaptive: [adaptive, budget, off],
    budget: [budget, adaptive, off],
  }[asked.mode];
  return order.find((thinking) => thinking !== undefined && modes.includes(thinking.mode));
}

/** Its budget within what the service takes beside this max_tokens; undefined when there is no room for one. */
function fitted(thinking: Thinking | undefined, outputTokensMax: number): Thinking | undefined {
  if (thinking?.mode !== 'budget') return thinking;
  const room = Math.max(outputTokensMax - ANSWER_TOKENS_MIN, BUDGET_TOKENS_MIN);
  if (room >= outputTokensMax) return undefined;
  const wanted = Math.max(thinking.budgetTokens ?? BUDGET_TOKENS_DEFAULT, BUDGET_TOKENS_MIN);
  return { ...thinking, budgetTokens: Math.min(wanted, room) };
}

/** The asked one, else the nearest below it, else the least. */
function nearestEffort(facts: ThinkingFacts | undefined, asked: Effort | undefined): Effort | undefined {
  if (facts === undefined || asked === undefined) return asked;
  const { efforts } = facts;
  return efforts.findLast((effort) => EFFORTS.indexOf(effort) <= EFFORTS.indexOf(asked)) ?? efforts[0];
}

function atMost(effort: Effort | undefined, most: Effort | undefined): Effort | undefined {
  if (effort === undefined || most === undefined) return effort;
  return EFFORTS.indexOf(effort) > EFFORTS.indexOf(most) ? most : effort;
}
