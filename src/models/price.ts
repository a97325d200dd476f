/**
 * What a model call costs: its tokens at the prices of its model. Prices are US dollars per million tokens, as the services print them; costs
 * are whole micro-dollars (millionths), so that sums of them are exact: the unit that Google's APIs of money have (cost_micros).
 *
 * PRICE-1 The cost of a call is worked out once, at the price of its model on the day of the call, and journalled with the call together with
 *    that price: no later table changes what a call has cost.
 */
import type { Usage } from '../sessions/session.ts';

/** US dollars per million tokens. */
export interface Rates {
  /** Input that was not cached. */
  readonly input: number;
  readonly output: number;
  /** Input that the service keeps for five minutes, and for an hour. */
  readonly cacheWrite5m: number;
  readonly cacheWrite1h: number;
  readonly cacheRead: number;
}

/** What a model costs from a day on, until the day of the next price. */
export interface Price extends Rates {
  /** The first day, UTC: 2026-10-07. */
  readonly from: string;
  /** Of a call whose prompt, what is cached included, has more tokens than this: for all tokens of that call. */
  readonly longPrompt?: (Rates & { readonly overTokens: number }) | undefined;
}

/** The tokens of one call. */
export interface CallTokens extends Omit<Usage, 'complete' | 'costMicroUsd' | 'pricedTokens'> {
  /** Of cacheCreationInputTokens: those that are kept for an hour. */
  readonly cacheCreation1hInputTokens: number;
}

/** The names of the prices, in the order of the pages. */
export const RATES = ['input', 'output', 'cacheWrite5m', 'cacheWrite1h', 'cacheRead'] as const;
/** Micro-dollars in a dollar, and tokens in the unit of the prices. */
const MILLION = 1_000_000;

/** What such a call pays for each token. */
export function ratesOf(price: Price, tokens: CallTokens): Rates {
  const { longPrompt } = price;
  const prompt = tokens.inputTokens + tokens.cacheCreationInputTokens + tokens.cacheReadInputTokens;
  const { input, output, cacheWrite5m, cacheWrite1h, cacheRead } =
    longPrompt !== undefined && prompt > longPrompt.overTokens ? longPrompt : price;
  return { input, output, cacheWrite5m, cacheWrite1h, cacheRead };
}

/** Whole micro-dollars, rounded up: what was used never costs nothing for being little, and no limit is passed by roundings. */
export function costMicroUsd(rates: Rates, tokens: CallTokens): number {
  const anHour = Math.min(tokens.cacheCreation1hInputTokens, tokens.cacheCreationInputTokens);
  const parts: readonly (readonly [count: number, usd: number])[] = [
    [tokens.inputTokens, rates.input],
    [tokens.outputTokens, rates.output],
    [tokens.cacheCreationInputTokens - anHour, rates.cacheWrite5m],
    [anHour, rates.cacheWrite1h],
    [tokens.cacheReadInputTokens, rates.cacheRead],
  ];
  // BigInt, since the largest counts at the largest prices are no exact numbers before they are divided
  const sum = parts.reduce((total, [count, usd]) => total + BigInt(count) * microUsdOf(usd), 0n);
  return Number((sum + BigInt(MILLION - 1)) / BigInt(MILLION));
}

/** Of a price as it is printed: six digits after the point at most. */
function microUsdOf(usd: number): bigint {
  return BigInt(Math.round(usd * MILLION));
}
