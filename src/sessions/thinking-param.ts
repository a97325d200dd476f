/** What a plan says about thinking, as the Messages API has it: the brain sends it, and the gateway lets nothing else through. */
import type { ModelPlan, ThinkingDisplay } from './model-plan.ts';

export type ThinkingParam =
  | { readonly type: 'disabled' }
  | { readonly type: 'adaptive'; readonly display?: ThinkingDisplay }
  | { readonly type: 'enabled'; readonly budget_tokens: number; readonly display?: ThinkingDisplay };

/** The service's own bound for thinking.budget_tokens. */
const THINKING_BUDGET_TOKENS_MIN = 1_024;

export function thinkingParam({ thinking, outputTokensMax }: ModelPlan): ThinkingParam | undefined {
  if (thinking === undefined) return undefined;
  const display = thinking.display === undefined ? {} : { display: thinking.display };
  switch (thinking.mode) {
    case 'off':
      return { type: 'disabled' };
    case 'adaptive':
      return { type: 'adaptive', ...display };
    case 'budget': {
      // The service wants it below max_tokens; an answer with no room for the least budget has none for thinking.
      const most = outputTokensMax - 1;
      if (most < THINKING_BUDGET_TOKENS_MIN) return undefined;
      const wanted = Math.max(thinking.budgetTokens ?? most, THINKING_BUDGET_TOKENS_MIN);
      return { type: 'enabled', budget_tokens: Math.min(wanted, most), ...display };
    }
  }
}
