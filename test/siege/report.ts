/** What a siege says at its end: a table of kinds, and of each that failed the way to see it again. */
import { columnsOf } from '../support/columns.ts';
import type { Round, SiegeReport } from './siege.ts';
import { type Figures, mib } from './verdict.ts';

const HEAD = [
  'kind',
  'seconds',
  'actions',
  'answered',
  'refused',
  'max RSS MiB',
  'deaf ms',
  'turn p95',
  'read p95',
  'verdict',
] as const;
const CODES_SHOWN = 6;

export function tableOf({ quiet, rounds }: SiegeReport): string {
  const rows = [
    HEAD,
    ['in quiet', '', '', '', '', ...figuresOf(quiet), ''],
    ...rounds.map((round) => [
      round.kind.name,
      (round.figures.forMs / 1000).toFixed(1),
      String(round.tally.actions),
      String(round.tally.answered),
      String([...round.tally.refusals.values()].reduce((sum, count) => sum + count, 0)),
      ...figuresOf(round.figures),
      verdictOf(round),
    ]),
  ];
  return columnsOf(rows);
}

/** Refusals of each kind by their codes, the frequent ones first. */
export function refusalsOf({ rounds }: SiegeReport): string {
  return rounds
    .filter(({ tally }) => tally.refusals.size > 0)
    .map(({ kind, tally }) => {
      const codes = [...tally.refusals].sort(([, a], [, b]) => b - a);
      const shown = codes.slice(0, CODES_SHOWN).map(([code, count]) => `${code} ${count}`);
      return `${kind.name}: ${shown.join(', ')}${codes.length > CODES_SHOWN ? ', …' : ''}`;
    })
    .join('\n');
}

/** Seed, kind and last actions of what failed; undefined when everything held. */
export function artifactOf({ rounds }: SiegeReport, seed: number): string | undefined {
  const failed = rounds.filter(({ violations }) => violations.length > 0);
  if (failed.length === 0) return undefined;
  return failed
    .map(({ kind, violations, tally, logTail }) =>
      [
        `## ${kind.name}: npm run siege -- --seed ${seed} --kinds "${kind.name}"`,
        ...violations.map(({ rule, message }) => `${rule}: ${message}`),
        '',
        'Last actions:',
        ...tally.lastActions.map((told) => `  ${told}`),
        '',
        'End of the log:',
        logTail,
      ].join('\n'),
    )
    .join('\n\n');
}

export function hasFailed({ rounds }: SiegeReport): boolean {
  return rounds.some(({ violations }) => violations.length > 0);
}

function verdictOf({ violations }: Round): string {
  return violations.length === 0
    ? 'held'
    : `FAILED: ${[...new Set(violations.map(({ rule }) => rule))].join(', ')}`;
}

function figuresOf({ rssPeakBytes, deafMs, turnP95Ms, readP95Ms }: Figures): readonly string[] {
  return [String(mib(rssPeakBytes)), ...[deafMs, turnP95Ms, readP95Ms].map((value) => value.toFixed(0))];
}
