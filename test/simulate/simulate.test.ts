/** Some hundred histories of the simulated world in every run of the tests; `npm run simulate` plays as many as there is time for. */
import { expect, it } from 'vitest';
import { type Mutant, runHistory } from './history.ts';
import { onSqlite } from './store-kinds.ts';
import { storyOf, Tally } from './tally.ts';

const HISTORIES = 150;
/** A mutant that so many histories do not show would hardly be found by chance. */
const MUTANT_HISTORIES = 60;
/** On a machine that does much else. */
const RETRY_BUDGET_MS = 600_000;

it(`every promise holds in the histories of seeds 1 to ${HISTORIES}`, {
  timeout: RETRY_BUDGET_MS,
}, async () => {
  const tally = new Tally();
  for (let seed = 1; seed <= HISTORIES; seed += 1) {
    const history = await runHistory({ seed, store: onSqlite });
    tally.add(history);
    const story = storyOf(history, 'npm run simulate --');
    if (story !== undefined) throw new Error(story);
  }

  expect(tally.histories).toBe(HISTORIES);
});

it('a seed replays exactly its history', { timeout: RETRY_BUDGET_MS }, async () => {
  const [first, second] = [
    await runHistory({ seed: 3, store: onSqlite, skewMsMax: 600_000 }),
    await runHistory({ seed: 3, store: onSqlite, skewMsMax: 600_000 }),
  ];

  expect(first.events).toBeGreaterThan(0);
  expect(second.world.storyHash).toBe(first.world.storyHash);
  expect(second.canonical).toEqual(first.canonical);
});

/** What is broken, and the rules by which it may be found. */
const MUTANTS: readonly (readonly [Mutant, RegExp])[] = [
  ['no fence', /JOURNAL-4 fenced|no lease is taken|has one|words belong|once/],
  ['no keys', /JOURNAL-5 idempotent|a key is used once|a tool call has one result|tool calls have ids/],
  ['read leaves out', /FOLLOW-1 complete|only faults/],
  ['lost write', /a turn ends after its tool calls|only faults and outages|stuck/],
  ['forgotten results', /a tool runs once|lost files are told/],
];

for (const [mutant, rules] of MUTANTS) {
  it(`the simulation finds a mutant: ${mutant}`, { timeout: RETRY_BUDGET_MS }, async () => {
    for (let seed = 1; seed <= MUTANT_HISTORIES; seed += 1) {
      const { world } = await runHistory({ seed, store: onSqlite, mutant });
      if (world.violation === undefined) continue;
      expect(world.violation.rule).toMatch(rules);
      return;
    }
    throw new Error(`${MUTANT_HISTORIES} histories did not show it`);
  });
}
