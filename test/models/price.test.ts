/** What calls cost, and which price holds. */
import { describe, expect, it, test } from 'vitest';
import { MODELS } from '../../src/models/model-table.ts';
import { type CallTokens, costMicroUsd, type Price, RATES, ratesOf } from '../../src/models/price.ts';
import { PRICES } from '../../src/models/price-table.ts';
import { Prices, wholeName } from '../../src/models/prices.ts';
import { USAGE_COUNT_MAX } from '../../src/models/usage-reader.ts';

const NONE: CallTokens = {
  inputTokens: 0,
  outputTokens: 0,
  cacheCreationInputTokens: 0,
  cacheReadInputTokens: 0,
  cacheCreation1hInputTokens: 0,
};
const PRICE: Price = {
  from: '2026-01-01',
  input: 3,
  output: 15,
  cacheWrite5m: 3.75,
  cacheWrite1h: 6,
  cacheRead: 0.3,
};
const costOf = (given: Partial<CallTokens>, price: Price = PRICE): number => {
  const tokens = { ...NONE, ...given };
  return costMicroUsd(ratesOf(price, tokens), tokens);
};
const on = (day: string): number => Date.parse(day);

describe('the cost of a call', () => {
  test.each<[string, Partial<CallTokens>, number]>([
    ['nothing', {}, 0],
    ['input', { inputTokens: 1_000 }, 3_000],
    ['output', { outputTokens: 1_000 }, 15_000],
    ['reads of the cache', { cacheReadInputTokens: 10 }, 3],
    ['writes for five minutes', { cacheCreationInputTokens: 4 }, 15],
    ['writes for an hour', { cacheCreationInputTokens: 4, cacheCreation1hInputTokens: 4 }, 24],
    ['writes of both kinds', { cacheCreationInputTokens: 5, cacheCreation1hInputTokens: 1 }, 21],
    [
      'more kept for an hour than was written',
      { cacheCreationInputTokens: 1, cacheCreation1hInputTokens: 9 },
      6,
    ],
    [
      'all of it',
      { inputTokens: 1, outputTokens: 1, cacheCreationInputTokens: 4, cacheReadInputTokens: 10 },
      36,
    ],
  ])('of %s', (_, tokens, cost) => {
    expect(costOf(tokens)).toBe(cost);
  });

  it('is rounded up: what was used is never free for being little', () => {
    expect(costOf({ cacheReadInputTokens: 1 })).toBe(1);
    expect(costOf({ cacheReadInputTokens: 4 })).toBe(2);
    expect(costOf({ inputTokens: 1 }, { ...PRICE, input: 0.000_001 })).toBe(1);
    expect(costOf({ inputTokens: 1 }, { ...PRICE, input: 0 })).toBe(0);
  });

  it('is exact at the largest counts and prices', () => {
    expect(costOf({ outputTokens: USAGE_COUNT_MAX }, { ...PRICE, output: 9_999.999_999 })).toBe(
      9_999_999_999_000,
    );
  });

  it('is that of long prompts for all tokens of a call whose prompt is longer, cached ones counted', () => {
    const long = { ...PRICE, input: 30, output: 150, cacheRead: 3, overTokens: 100 };
    const price = { ...PRICE, longPrompt: long };

    expect(costOf({ inputTokens: 50, cacheReadInputTokens: 50, outputTokens: 1 }, price)).toBe(180);
    expect(costOf({ inputTokens: 50, cacheReadInputTokens: 51, outputTokens: 1 }, price)).toBe(1_803);
  });
});

describe('the table', () => {
  it('has days in order, and prices that are numbers', () => {
    for (const prices of Object.values(PRICES)) {
      const days = prices.map(({ from }) => from);
      expect(days).toEqual([...new Set(days)].toSorted());
      for (const day of days) expect(new Date(day).toISOString().slice(0, 10)).toBe(day);
      for (const price of prices) for (const name of RATES) expect(price[name]).toBeGreaterThan(0);
    }
  });

  it('has each known model whose prices were published', () => {
    const unpriced = Object.keys(MODELS).filter((name) => PRICES[`anthropic/${name}`] === undefined);

    expect(unpriced).toEqual(['claude-mythos-preview']);
    expect(Object.keys(PRICES)).toHaveLength(Object.keys(MODELS).length - 1);
  });
});

describe('the price that holds', () => {
  const prices = new Prices();
  const found = (name: string, day = '2026-11-27') => prices.find([name], on(day));

  it('is that of the day, from its beginning in UTC', () => {
    const model = 'anthropic/claude-sonnet-5-5';

    expect(prices.find([model], on('2026-10-06T23:59:59.999Z'))?.price).toMatchObject({ cacheRead: 0.2 });
    expect(prices.find([model], on('2026-10-07T00:00:00Z'))?.price).toMatchObject({ cacheRead: 0.1 });
    expect(found(model, '2026-01-01')).toBeUndefined();
  });

  it('is the same for a model with its date', () => {
    for (const name of ['claude-haiku-4-5', 'claude-haiku-4-5-20251001', 'claude-haiku-4-5-latest'])
      expect(found(`anthropic/${name}`)?.price).toMatchObject({ input: 1, output: 5 });
  });

  it.each([
    'anthropic/claude-mythos-preview',
    'anthropic/claude-x',
    'anthropic/us.anthropic.claude-haiku-4-5-20251001-v1:0',
    'anthropic/claude-haiku-4-5@20251001',
    'anthropic/anthropic/claude-haiku-4.5',
    'rehearsal/claude-haiku-4-5',
    'anthropic/__proto__',
    'constructor',
  ])('is not known of %s (proves PRICE-2)', (name) => {
    expect(found(name)).toBeUndefined();
  });

  it('is the own one where there is one for the day, of whichever name', () => {
    const own = new Prices(
      new Map([
        ['anthropic/claude-haiku-4-5', [{ ...PRICE, from: '2026-12-01' }]],
        ['rehearsal/echo', [PRICE]],
      ]),
    );
    const names = ['anthropic/claude-opus-5', 'rehearsal/echo'];

    expect(own.find(['anthropic/claude-haiku-4-5'], on('2026-11-30'))?.price.input).toBe(1);
    expect(own.find(['anthropic/claude-haiku-4-5-20251001'], on('2026-12-01'))?.price.input).toBe(3);
    expect(own.find(names, on('2026-11-27'))).toEqual({ model: 'rehearsal/echo', price: PRICE });
    expect(own.find([wholeName('rehearsal', 'rehearsal-echo')], on('2026-11-27'))?.price).toBe(PRICE);
    expect(wholeName('anthropic', 'rehearsal-echo')).toBe('anthropic/rehearsal-echo');
  });

  it('is that of the first name that has one', () => {
    const names = ['anthropic/some-proxy-model', 'anthropic/claude-haiku-4-5'];

    expect(prices.find(names, on('2026-11-27'))?.model).toBe('anthropic/claude-haiku-4-5');
    expect(prices.find(names.slice(0, 1), on('2026-11-27'))).toBeUndefined();
  });
});
