/** What a kind of siege is judged by: a pure function of what was seen while it ran and what it is in quiet. */
import {
  DEAF_MS_MAX,
  DISK_ALLOWANCE_BYTES,
  OTHERS_ALLOWANCE_MS,
  OTHERS_FACTOR_MAX,
  POLITE_MS_MAX,
  SIEGE_RSS_MAX,
} from './limit.ts';
import { WORKSPACE_BYTES_MAX } from '../../src/hands/limit.ts';

/** What the watcher has seen since it was last asked. */
export interface Figures {
  readonly rssPeakBytes: number;
  /** Longest wait of a probe of the server, less what the machine is to blame for. */
  readonly deafMs: number;
  /** When that wait began, in milliseconds since the epoch. */
  readonly deafAt: number;
  /** The same, with nothing taken off. */
  readonly waitMs: number;
  /** p95 of the polite tenant: a message until its turn is over, and a read. */
  readonly turnP95Ms: number;
  readonly readP95Ms: number;
  /** p95 of a fixed piece of work in the reference process: what the machine is worth at this time. */
  readonly workP95Ms: number;
  readonly turns: number;
  /** How long was watched. */
  readonly forMs: number;
  readonly turnsFailed: number;
  /** Times that the polite tenant lost a connection, or was refused one. */
  readonly reconnects: number;
  readonly diskDropBytes: number;
  /** Why the watcher has ended the server: it would have taken the machine with it. */
  readonly ended?: string | undefined;
}

export interface Seen {
  readonly figures: Figures;
  readonly takesCpu: boolean;
  readonly crashed?: string | undefined;
  readonly leaked: readonly string[];
  readonly echoes: readonly string[];
  readonly findings: readonly string[];
  /** What was begun shortly before the longest wait. */
  readonly deafAfter?: readonly string[] | undefined;
}

export type Rule = 'crash' | 'memory' | 'disk' | 'leak' | 'key' | 'finding' | 'deaf' | 'others';

/** What is said of these is only as good as the machine is quiet; the rest holds on any. */
export const RULES_OF_TIME: ReadonlySet<Rule> = new Set(['deaf', 'others']);

export interface Violation {
  readonly rule: Rule;
  readonly message: string;
}

export function violationsOf(seen: Seen, quiet: Figures): readonly Violation[] {
  const { figures, takesCpu } = seen;
  const found: Violation[] = [];
  const say = (rule: Rule, message: string): unknown => found.push({ rule, message });
  if (figures.ended !== undefined) say('memory', `the siege had to end the server: ${figures.ended}`);
  if (seen.crashed !== undefined) say('crash', `the server died: ${seen.crashed}`);
  if (figures.rssPeakBytes > SIEGE_RSS_MAX)
    say('memory', `${mib(figures.rssPeakBytes)} MiB resident; ${mib(SIEGE_RSS_MAX)} is the most`);
  if (figures.diskDropBytes > WORKSPACE_BYTES_MAX + DISK_ALLOWANCE_BYTES)
    say('disk', `${mib(figures.diskDropBytes)} MiB of the disk were taken at a time`);
  for (const leaked of seen.leaked) say('leak', `outlived its session or its server: ${leaked}`);
  for (const echo of seen.echoes) say('key', echo);
  for (const finding of seen.findings) say('finding', finding);
  if (figures.deafMs > DEAF_MS_MAX)
    say(
      'deaf',
      `deaf for ${Math.round(figures.deafMs)} ms; ${DEAF_MS_MAX} is the most; after ${(seen.deafAfter ?? []).join(' | ')}`,
    );
  // The machine's own slowness counts for the server, except where the attack is the slowness.
  const slower = takesCpu ? 1 : Math.max(1, figures.workP95Ms / quiet.workP95Ms);
  const othersMax = (p95: number): number => OTHERS_FACTOR_MAX * p95 * slower + OTHERS_ALLOWANCE_MS;
  if (figures.turns === 0 && figures.forMs > POLITE_MS_MAX)
    say('others', 'no turn of another tenant came to its end');
  if (figures.turnsFailed > 0) say('others', `${figures.turnsFailed} turns of another tenant failed`);
  for (const [what, now, before] of [
    ['turn', figures.turnP95Ms, quiet.turnP95Ms],
    ['read', figures.readP95Ms, quiet.readP95Ms],
  ] as const) {
    if (now > othersMax(before))
      say(
        'others',
        `another tenant's ${what}: p95 ${ms(now)} ms, ${ms(before)} in quiet, ${ms(othersMax(before))} allowed`,
      );
  }
  return found;
}

export function mib(bytes: number): number {
  return Math.round(bytes / (1024 * 1024));
}

function ms(value: number): string {
  return value.toFixed(value < 10 ? 1 : 0);
}
