/** Which sessions a rule names, and when. */
import { describe, expect, it } from 'vitest';
import { InvalidInput } from '../../src/kernel/fault.ts';
import { newId } from '../../src/kernel/id.ts';
import {
  dueOf,
  latestDue,
  parseRule,
  RESTING_STATUSES,
  type Resting,
  type RestingStatus,
  type RetentionRules,
} from '../../src/sessions/retention-rule.ts';

const DAY = 86_400_000;
const AGENT = newId('agent');

function resting(status: RestingStatus, given: Partial<Resting> = {}): Resting {
  return { id: newId('session'), agentId: AGENT, status, statusAt: 100, isLeased: false, ...given };
}

function rulesOf(organisation: RetentionRules['organisation'], own?: RetentionRules['organisation']) {
  return { organisation, agents: new Map(own === undefined ? [] : [[AGENT, own]]) };
}

describe('a session is due (proves RETENTION-1)', () => {
  it('by no rule at all where there is none', () => {
    for (const status of RESTING_STATUSES) {
      expect(dueOf(resting(status), rulesOf(undefined))).toBeUndefined();
      expect(dueOf(resting(status), rulesOf({}))).toBeUndefined();
      expect(latestDue(rulesOf({}), status, 5)).toBeUndefined();
    }
  });

  it('so many days after it was archived, or came to rest otherwise', () => {
    const rules = rulesOf({ archivedDays: 2, idleDays: 3 });

    expect(dueOf(resting('archived'), rules)).toEqual({ reason: 'archived', at: 100 + 2 * DAY });
    for (const status of ['idle', 'failed', 'awaiting_input'] as const)
      expect(dueOf(resting(status), rules)).toEqual({ reason: 'idle', at: 100 + 3 * DAY });
    expect(dueOf(resting('idle'), rulesOf({ archivedDays: 2 }))).toBeUndefined();
    expect(dueOf(resting('archived'), rulesOf({ idleDays: 2 }))).toBeUndefined();
  });

  it('not while a server has it: commands may run in the background for as long', () => {
    expect(dueOf(resting('idle', { isLeased: true }), rulesOf({ idleDays: 1 }))).toBeUndefined();
  });

  it('by its agent’s own rule as a whole, in place of the organisation’s (proves RETENTION-2)', () => {
    const rules = rulesOf({ archivedDays: 2, idleDays: 3 }, { archivedDays: 9 });

    expect(dueOf(resting('archived'), rules)?.at).toBe(100 + 9 * DAY);
    expect(dueOf(resting('idle'), rules)).toBeUndefined();
    expect(dueOf(resting('idle', { agentId: newId('agent') }), rules)?.at).toBe(100 + 3 * DAY);
    expect(dueOf(resting('archived'), rulesOf({ archivedDays: 2 }, {}))).toBeUndefined();
  });

  it('never later than the latest that is looked for', () => {
    const now = 50 * DAY;
    const rules = rulesOf({ archivedDays: 9 }, { archivedDays: 4, idleDays: 20 });

    expect(latestDue(rules, 'archived', now)).toBe(46 * DAY);
    expect(latestDue(rules, 'failed', now)).toBe(30 * DAY);
    for (const agentId of [AGENT, newId('agent')])
      for (const status of RESTING_STATUSES)
        for (let day = 0; day <= 50; day += 1) {
          const one = resting(status, { statusAt: day * DAY, agentId });
          const isDue = (dueOf(one, rules)?.at ?? Infinity) <= now;
          if (isDue) expect(one.statusAt).toBeLessThanOrEqual(latestDue(rules, status, now) ?? -1);
        }
  });
});

describe('days of a rule', () => {
  it.each([0, -1, 0.5, 36_501, Number.NaN])('are refused: %d', (days) => {
    expect(() => parseRule({ archivedDays: days })).toThrow(InvalidInput);
    expect(() => parseRule({ idleDays: days })).toThrow(/idleDays/);
  });

  it('are left out, null, or from one day to a hundred years', () => {
    expect(parseRule({ archivedDays: 1, idleDays: 36_500 })).toEqual({ archivedDays: 1, idleDays: 36_500 });
    expect(parseRule({ archivedDays: null })).toEqual({});
  });
});
