/** Histories of machines whose clocks differ by up to ten minutes and are set anew: what waits by a clock may wait long, and nothing breaks. */
import { expect, it } from 'vitest';
import { runHistory } from './history.ts';
import { onSqlite } from './store-kinds.ts';
import { storyOf, Tally } from './tally.ts';

const HISTORIES = 80;
const SKEW_MINUTES = 10;
/** On a machine that does much else. */
const RETRY_BUDGET_MS = 600_000;

it(`every promise holds with clocks ±${SKEW_MINUTES} minutes, seeds 1 to ${HISTORIES}`, {
  timeout: RETRY_BUDGET_MS,
}, async () => {
  const tally = new Tally();
  for (let seed = 1; seed <= HISTORIES; seed += 1) {
    const history = await runHistory({ seed, store: onSqlite, skewMsMax: SKEW_MINUTES * 60_000 });
    tally.add(history);
    const story = storyOf(history, `npm run simulate -- --skew-minutes ${SKEW_MINUTES}`);
    if (story !== undefined) throw new Error(story);
  }

  expect(tally.histories).toBe(HISTORIES);
});
