import { expect, it } from 'vitest';
import { WORKSPACE_BYTES_MAX } from '../../src/hands/limit.ts';
import { DEAF_MS_MAX, DISK_ALLOWANCE_BYTES, SIEGE_RSS_MAX } from './limit.ts';
import { type Figures, type Rule, type Seen, violationsOf } from './verdict.ts';

const QUIET: Figures = {
  ...{
    rssPeakBytes: 200_000_000,
    deafMs: 4,
    deafAt: 0,
    waitMs: 9,
    diskDropBytes: 0,
    turns: 40,
    forMs: 60_000,
    turnsFailed: 0,
    reconnects: 0,
  },
  ...{ turnP95Ms: 60, readP95Ms: 4, workP95Ms: 10 },
};
const HELD: Seen = { figures: QUIET, takesCpu: false, leaked: [], echoes: [], findings: [] };

function rulesOf(seen: Partial<Seen>, figures: Partial<Figures> = {}): readonly Rule[] {
  return violationsOf({ ...HELD, ...seen, figures: { ...QUIET, ...figures } }, QUIET).map(({ rule }) => rule);
}

it('a server that is as in quiet has held', () => {
  expect(rulesOf({})).toEqual([]);
});

it.each<readonly [Rule, Partial<Seen>, Partial<Figures>]>([
  ['crash', { crashed: 'EMFILE' }, {}],
  ['memory', {}, { rssPeakBytes: SIEGE_RSS_MAX + 1 }],
  ['memory', {}, { ended: 'the machine has lost memory' }],
  ['disk', {}, { diskDropBytes: WORKSPACE_BYTES_MAX + DISK_ALLOWANCE_BYTES + 1 }],
  ['leak', { leaked: ['17 sleep'] }, {}],
  ['key', { echoes: ['in an answer'] }, {}],
  ['finding', { findings: ['a planted result counted'] }, {}],
  ['deaf', {}, { deafMs: DEAF_MS_MAX + 1 }],
  ['others', {}, { turnsFailed: 1 }],
  ['others', {}, { turns: 0 }],
  ['others', {}, { turnP95Ms: 400 }],
  ['others', {}, { readP95Ms: 100 }],
])('each thing that must not be is told by its rule: %s', (rule, seen, figures) => {
  expect(rulesOf(seen, figures)).toEqual([rule]);
});

it('a machine that is slower excuses the server, but not where slowness is the attack', () => {
  const slow = { turnP95Ms: 400, workP95Ms: 40 };

  expect(rulesOf({}, slow)).toEqual([]);
  expect(rulesOf({ takesCpu: true }, slow)).toEqual(['others']);
});
