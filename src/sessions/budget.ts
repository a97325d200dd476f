/**
 * What a session has used of the limits that are used up by and by: tokens and money.
 *
 * SPEND-1 A session that has used up a limit makes no more model calls: this is asked before each (models/account.ts), when all that was used
 *    before is journalled, and at the beginning of each turn.
 * SPEND-2 What brings a session to WARNED_PERCENT of a limit, or beyond, is followed by one warning in the same append: a call, or a limit that
 *    was lowered. A limit that was raised is warned of again.
 */
import type { BudgetName } from '../journal/metered-events.ts';
import type { NewEvent } from '../journal/event.ts';
import type { TurnId } from '../kernel/id.ts';
import { type Limits, limitsInForce, type Session, tokensOf, type Usage } from './session.ts';

/** Of a limit: early enough to raise it before anything stops, and what the alerts of clouds and gateways begin with. */
const WARNED_PERCENT = 80;
const MICRO_USD = 1_000_000;

export interface Budget {
  readonly budget: BudgetName;
  readonly used: number;
  readonly limit: number;
}

/** The limit that is used up; undefined when the session may use more. */
export function usedUp(session: Session): Budget | undefined {
  return budgetsOf(limitsInForce(session), session.usage).find(({ used, limit }) => used >= limit);
}

/** The warnings that are due when a session comes from `before` to `after`. */
export function warningsOf(
  before: Standing,
  after: Standing,
  turnId: TurnId | undefined,
): readonly NewEvent[] {
  const warned = new Set(
    budgetsOf(before.limits, before.usage)
      .filter(isLow)
      .map(({ budget }) => budget),
  );
  return budgetsOf(after.limits, after.usage)
    .filter((one) => isLow(one) && !warned.has(one.budget))
    .map((one) => ({
      type: 'budget.threshold_reached',
      actor: { kind: 'system' },
      turnId,
      body: { ...one, percent: WARNED_PERCENT },
    }));
}

interface Standing {
  readonly limits: Limits;
  readonly usage: Usage;
}

/** Dollars for people: 0.05, 12.5 as 12.50, 0.000123. */
export function dollars(microUsd: number): string {
  return (microUsd / MICRO_USD).toFixed(6).replace(/0{1,4}$/, '');
}

/** One sentence that says what to do. */
export function usedUpMessage({ budget, used, limit }: Budget): string {
  const what =
    budget === 'tokens'
      ? `has used ${used} of its ${limit} tokens`
      : `has cost ${dollars(used)} of its ${dollars(limit)} US dollars`;
  return `The session ${what}. Raise the limit with updateSession, or start a new session.`;
}

function isLow({ used, limit }: Budget): boolean {
  return used >= limit * (WARNED_PERCENT / 100);
}

/** Only of the limits that are set. What has no known price counts nothing: such calls are not made under a limit of money. */
function budgetsOf({ tokens, costMicroUsd }: Limits, usage: Usage): readonly Budget[] {
  const all: readonly (readonly [BudgetName, number, number | undefined])[] = [
    ['tokens', tokensOf(usage), tokens],
    ['cost', usage.costMicroUsd ?? 0, costMicroUsd],
  ];
  return all.flatMap(([budget, used, limit]) => (limit === undefined ? [] : [{ budget, used, limit }]));
}
