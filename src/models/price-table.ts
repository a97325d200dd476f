/**
 * The list prices of the known models, by day. From platform.claude.com about-claude/pricing and the pages of the models
 * (models/<model>/overview), as of 2026-11-27; the days are those of the releases, or of the change where a price has changed.
 *
 * PRICE-2 A price that is not known is not there: a call at it has no cost, which is told as null, and never as 0.
 *
 * Names are those of the model's own service alone: Amazon, Google and proxies have prices of their own, regional ones among them. What a
 * deployment pays otherwise stands in its own file (price-file.ts).
 */
import type { Price, Rates } from './price.ts';

/** In the order of the pages: input, output, cache writes of 5 minutes and of an hour, cache reads. */
function rates(
  input: number,
  output: number,
  cacheWrite5m: number,
  cacheWrite1h: number,
  cacheRead: number,
): Rates {
  return { input, output, cacheWrite5m, cacheWrite1h, cacheRead };
}

function since(from: string, price: Rates, longPrompt?: Price['longPrompt']): Price {
  return longPrompt === undefined ? { from, ...price } : { from, ...price, longPrompt };
}

const FABLE_5_2 = since('2026-11-09', rates(8, 40, 10, 16, 0.2));
const FABLE_5_1 = since('2026-09-01', rates(10, 50, 12.5, 20, 0.25));
const FABLE_5 = since('2026-06-09', rates(10, 50, 12.5, 20, 1));
const OPUS_4_5 = rates(5, 25, 6.25, 10, 0.5);
const OPUS_4 = rates(15, 75, 18.75, 30, 1.5);
const SONNET_5 = rates(2, 10, 2.5, 4, 0.2);
const SONNET_4 = rates(3, 15, 3.75, 6, 0.3);

/**
 * The oldest first. Mythos has the prices of Fable ("shares the specifications and pricing"); of its preview no prices of the cache were
 * published, so it is not here. Sonnet 5's price of its introduction stayed: the rise that was announced for 2026-09-01 was called off.
 */
export const PRICES: Readonly<Record<string, readonly Price[]>> = {
  'anthropic/claude-fable-5-2': [FABLE_5_2],
  'anthropic/claude-fable-5-1': [FABLE_5_1],
  'anthropic/claude-fable-5': [FABLE_5],
  'anthropic/claude-mythos-5-2': [FABLE_5_2],
  'anthropic/claude-mythos-5-1': [FABLE_5_1],
  'anthropic/claude-mythos-5': [FABLE_5],
  'anthropic/claude-opus-5-5': [since('2026-09-22', rates(4, 20, 5, 8, 0.2))],
  'anthropic/claude-opus-5': [since('2026-07-24', OPUS_4_5)],
  'anthropic/claude-opus-4-8': [since('2026-05-28', OPUS_4_5)],
  'anthropic/claude-opus-4-7': [since('2026-04-16', OPUS_4_5)],
  'anthropic/claude-opus-4-6': [since('2026-02-05', OPUS_4_5)],
  'anthropic/claude-opus-4-5': [since('2025-11-24', OPUS_4_5)],
  'anthropic/claude-opus-4-1': [since('2025-08-05', OPUS_4)],
  'anthropic/claude-opus-4': [since('2025-05-22', OPUS_4)],
  'anthropic/claude-opus-4-0': [since('2025-05-22', OPUS_4)],
  'anthropic/claude-sonnet-5-5': [
    since('2026-09-28', rates(2, 10, 2.5, 4, 0.2)),
    since('2026-10-07', rates(2, 10, 2.5, 4, 0.1)),
  ],
  'anthropic/claude-sonnet-5': [since('2026-06-30', SONNET_5)],
  'anthropic/claude-sonnet-4-6': [since('2026-02-17', SONNET_4)],
  'anthropic/claude-sonnet-4-5': [since('2025-09-29', SONNET_4)],
  'anthropic/claude-sonnet-4': [since('2025-05-22', SONNET_4)],
  'anthropic/claude-sonnet-4-0': [since('2025-05-22', SONNET_4)],
  'anthropic/claude-3-7-sonnet': [since('2025-02-24', SONNET_4)],
  'anthropic/claude-3-5-sonnet': [since('2024-06-20', SONNET_4)],
  'anthropic/claude-haiku-5-5': [
    since('2026-10-07', rates(0.1, 0.5, 0.125, 0.2, 0.01), {
      overTokens: 100_000,
      ...rates(0.5, 2.5, 0.625, 1, 0.05),
    }),
  ],
  'anthropic/claude-haiku-4-5': [since('2025-10-15', rates(1, 5, 1.25, 2, 0.1))],
  'anthropic/claude-3-5-haiku': [since('2024-11-04', rates(0.8, 4, 1, 1.6, 0.08))],
  'anthropic/claude-3-haiku': [since('2024-03-13', rates(0.25, 1.25, 0.3, 0.5, 0.03))],
  'anthropic/claude-3-opus': [since('2024-02-29', OPUS_4)],
};
