/**
 * A siege in short: a real server, and a few actions of every kind of hostile use by one seed. What must hold on any machine is asserted;
 * how deaf the server was and how others fared is printed, since the other tests run beside it. `npm run siege` is the whole of it: docs/siege.md
 */
import { expect, it } from 'vitest';
import { KINDS } from './kinds.ts';
import { artifactOf, refusalsOf, tableOf } from './report.ts';
import { Siege } from './siege.ts';
import { RULES_OF_TIME } from './verdict.ts';

/** One whose few actions are various: a planted result, a crowd of sixty, reservations, an endless line, keys in six forms. */
const SEED = Number(process.env['HOLDFAST_TEST_SEED'] ?? 4_761);
/** The smallest at which the limits that end or refuse something are met. */
const SIZE = { longLog: 60, largeBodies: 24, hogMib: 512, callMsMax: 3_000 };
const QUIET_MS = 1_000;
/** No new action of a kind after that: on a machine that does much else there are fewer. */
const KIND_MS_MAX = 15_000;
/** All together take about a minute on a quiet machine; with ten others on two cores, two. */
const SIEGE_MS_MAX = 540_000;
/** What was started still has to be ended. */
const TEST_MS_MAX = SIEGE_MS_MAX + 120_000;

it(`a server lives through a short siege, seed ${SEED} (HOLDFAST_TEST_SEED)`, {
  timeout: TEST_MS_MAX,
}, async () => {
  const report = await new Siege({
    seed: SEED,
    kinds: KINDS,
    size: SIZE,
    msPerKind: KIND_MS_MAX,
    quietMs: QUIET_MS,
    actionsMax: ({ few }) => few,
    freshAfterFailure: false,
    givesWay: false,
    msMax: SIEGE_MS_MAX,
    say,
  }).run();
  say(`${tableOf(report)}\n\n${refusalsOf(report)}`);

  const attacks = report.rounds.filter(({ kind }) => KINDS.includes(kind));
  expect(attacks.map(({ kind }) => kind.name)).toEqual(KINDS.map(({ name }) => name));
  expect(attacks.filter(({ tally }) => tally.actions === 0).map(({ kind }) => kind.name)).toEqual([]);
  const rounds = report.rounds.map((round) => ({
    ...round,
    violations: round.violations.filter(({ rule }) => !RULES_OF_TIME.has(rule)),
  }));
  expect(artifactOf({ ...report, rounds }, SEED) ?? 'everything held').toBe('everything held');
});

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
