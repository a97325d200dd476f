/** Limits that are used up by and by: what a session has used of them, the warnings, and how they are changed. */
import { describe, expect, it } from 'vitest';
import { turnIdOf } from '../../src/kernel/id.ts';
import { dollars } from '../../src/sessions/budget.ts';
import { addUsage, costOf, usageOf } from '../../src/sessions/cost.ts';
import { type Command, turnMsMax } from '../../src/sessions/lifecycle.ts';
import { type GivenLimits, limitsAfter } from '../../src/sessions/limits.ts';
import { limitsInForce, NO_USAGE } from '../../src/sessions/session.ts';
import { HUMAN, Life, REACH } from '../support/session-life.ts';

describe('budgets', () => {
  const used = (outputTokens: number, costMicroUsd?: number): Command => ({
    kind: 'meter',
    usage: {
      callId: 't1m1',
      model: 'm',
      inputTokens: 0,
      outputTokens,
      cacheCreationInputTokens: 0,
      cacheReadInputTokens: 0,
      complete: true,
      ...(costMicroUsd === undefined ? {} : { costMicroUsd }),
    },
  });
  const limited = (given: GivenLimits, isKeyed = false): Command => ({
    kind: 'changeLimits',
    given,
    actor: HUMAN,
    isKeyed,
  });
  const WARNED = ['model.usage', 'budget.threshold_reached'];

  it('are warned of once, when 80 % are used (proves SPEND-2)', () => {
    const life = new Life({ costMicroUsd: 100, tokens: 1_000 });
    REACH.running(life);

    expect(life.do(used(799, 79))).toEqual(['model.usage']);
    expect(life.do(used(0, 1))).toEqual(WARNED);
    expect(life.events.at(-1)).toMatchObject({
      turnId: turnIdOf(life.session.id, 1),
      body: { budget: 'cost', percent: 80, used: 80, limit: 100 },
    });
    expect(life.do(used(1))).toEqual(WARNED);
    expect(life.events.at(-1)?.body).toMatchObject({ budget: 'tokens', used: 800, limit: 1_000 });
    expect(life.do(used(1_000, 1_000))).toEqual(['model.usage']);
  });

  it('that one call uses up are warned of all the same, both at once (proves SPEND-2)', () => {
    const life = new Life({ costMicroUsd: 1, tokens: 1 });
    REACH.running(life);

    expect(life.do(used(5, 5))).toEqual([...WARNED, 'budget.threshold_reached']);
  });

  it('that are raised are warned of again, and so are those that are lowered (proves SPEND-2)', () => {
    const life = new Life({ costMicroUsd: 100 });
    REACH.running(life);
    life.do(used(1, 90));

    expect(life.do(limited({ costMicroUsd: 110 }))).toEqual(['session.limits_changed']);
    expect(life.do(limited({ costMicroUsd: 1_000 }))).toEqual(['session.limits_changed']);
    expect(life.do(used(1, 710))).toEqual(WARNED);
    life.do(limited({ costMicroUsd: null }));
    expect(life.do(limited({ costMicroUsd: 1_000 }))).toEqual([
      'session.limits_changed',
      'budget.threshold_reached',
    ]);
  });

  it('of money end the next turn as budget_exceeded, and a raised one lets it go on', () => {
    const life = new Life({ costMicroUsd: 100 });
    REACH.running(life);
    life.do(used(1, 100));
    life.do({ kind: 'completeTurn', outcome: 'budget_exceeded' });
    life.send();

    expect(life.do({ kind: 'beginTurn' })).toEqual(['turn.started', 'turn.completed']);
    expect(life.session.turn?.outcome).toBe('budget_exceeded');
    life.do(limited({ costMicroUsd: 101 }));
    life.send();
    expect(life.do({ kind: 'beginTurn' })).toEqual(['turn.started']);
  });

  it('limits that are changed keep those that are left out, and null takes one away', () => {
    const life = new Life({ tokens: 5, turns: 2, turnSeconds: 60 });
    REACH.running(life);

    expect(life.do(limited({ turns: 3, turnSeconds: null, costMicroUsd: 9 }))).toEqual([
      'session.limits_changed',
    ]);
    expect(limitsInForce(life.session)).toEqual({ tokens: 5, turns: 3, costMicroUsd: 9 });
    expect(turnMsMax(life.session)).toBe(1_800_000);
    expect(life.do(limited({ turns: 3, turnSeconds: null }))).toBe('nothing');
    expect(life.do(limited({ turns: 3 }, true))).toEqual(['session.limits_changed']);
    expect(life.session.limits).toEqual({ tokens: 5, turns: 2, turnSeconds: 60 });
    for (const most of [2, 3]) {
      life.do({ kind: 'completeTurn', outcome: 'canceled' });
      life.send();
      life.do({ kind: 'beginTurn' });
      expect(life.session.turn).toMatchObject({ number: most, state: 'running' });
    }
  });
});

describe('what was used', () => {
  const call = { callId: 't1m1', model: 'm', inputTokens: 1, outputTokens: 2, cacheCreationInputTokens: 3 };
  const of = (costMicroUsd?: number) =>
    usageOf({
      ...call,
      cacheReadInputTokens: 4,
      complete: true,
      ...(costMicroUsd === undefined ? {} : { costMicroUsd }),
    });

  it('costs what its calls cost, and nobody knows what, once one has no price (proves PRICE-2)', () => {
    const priced = addUsage(addUsage(NO_USAGE, of(5)), of(7));
    const mixed = addUsage(addUsage(priced, of()), of(9));

    expect(costOf(NO_USAGE)).toBe(0);
    expect(costOf(priced)).toBe(12);
    expect(costOf(of())).toBeUndefined();
    expect(costOf(mixed)).toBeUndefined();
    expect(mixed.costMicroUsd).toBe(21);
    expect(costOf({ ...NO_USAGE, complete: false })).toBeUndefined();
  });

  it('of a record of a version before has no cost, and is the same record as its log makes', () => {
    const then = {
      ...NO_USAGE,
      inputTokens: 1,
      outputTokens: 2,
      cacheCreationInputTokens: 3,
      cacheReadInputTokens: 4,
    };

    expect(addUsage(NO_USAGE, of())).toStrictEqual(then);
    expect(costOf(then)).toBeUndefined();
    expect(costOf(addUsage(then, of(9)))).toBeUndefined();
  });

  it('stays a number, however much services say', () => {
    const most = of(Number.MAX_SAFE_INTEGER);

    expect(addUsage(most, most).costMicroUsd).toBe(Number.MAX_SAFE_INTEGER);
  });
});

it('limits are whole numbers from 1', () => {
  for (const name of ['tokens', 'turns', 'turnSeconds', 'costMicroUsd'] as const)
    for (const value of [0, -1, 1.5, Number.NaN, 2 ** 53])
      expect(() => limitsAfter({}, { [name]: value })).toThrow(`limits.${name}: expected a whole number`);
});

it.each([
  [0, '0.00'],
  [1, '0.000001'],
  [50_000, '0.05'],
  [12_500_000, '12.50'],
  [1_000_000_000, '1000.00'],
])('%d micro-dollars are told as %s', (microUsd, told) => {
  expect(dollars(microUsd)).toBe(told);
});
