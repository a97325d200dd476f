/**
 * What calls have cost, beside their tokens: the sum of those whose price was known, and how many tokens that sum is of. Where these are all
 * tokens the cost is known; records and logs of versions before have neither, so what they used has no cost.
 */
import type { BodyOf } from '../journal/event.ts';
import { tokensOf, type Usage } from './session.ts';

/** What one call used, and cost where that was journalled (PRICE-1). */
export function usageOf(call: BodyOf<'model.usage'>): Usage {
  const {
    inputTokens,
    outputTokens,
    cacheCreationInputTokens,
    cacheReadInputTokens,
    complete,
    costMicroUsd,
  } = call;
  const usage = { inputTokens, outputTokens, cacheCreationInputTokens, cacheReadInputTokens, complete };
  return costMicroUsd === undefined ? usage : { ...usage, costMicroUsd, pricedTokens: tokensOf(usage) };
}

export function addUsage(sum: Usage, more: Usage): Usage {
  return {
    inputTokens: sum.inputTokens + more.inputTokens,
    outputTokens: sum.outputTokens + more.outputTokens,
    cacheCreationInputTokens: sum.cacheCreationInputTokens + more.cacheCreationInputTokens,
    cacheReadInputTokens: sum.cacheReadInputTokens + more.cacheReadInputTokens,
    complete: sum.complete && more.complete,
    ...added('costMicroUsd', sum, more),
    ...added('pricedTokens', sum, more),
  };
}

/** Micro-dollars of all that was used; undefined where a part of it has no price, and where nobody knows what was used. PRICE-2 */
export function costOf(usage: Usage): number | undefined {
  const tokens = tokensOf(usage);
  if (usage.costMicroUsd === undefined) return tokens === 0 && usage.complete ? 0 : undefined;
  return usage.pricedTokens === tokens ? usage.costMicroUsd : undefined;
}

/** A sum stays an exact number, whatever services say that was used. */
function added(name: 'costMicroUsd' | 'pricedTokens', sum: Usage, more: Usage): Partial<Usage> {
  if (sum[name] === undefined && more[name] === undefined) return {};
  return { [name]: Math.min((sum[name] ?? 0) + (more[name] ?? 0), Number.MAX_SAFE_INTEGER) };
}
