/**
 * How long sessions that rest are kept: a rule counts days since a session was archived, or since it came to rest otherwise. Pure; what is
 * due is decided here alone, for the sweep and for the preview.
 *
 * RETENTION-1 Nothing is deleted that no rule names: without a rule every session is kept for ever, and so is one that is queued or runs, or for
 *    which something runs still.
 * RETENTION-2 An agent's own rule is in force for its sessions in place of the organisation's, as a whole: what it does not limit is kept.
 */
import type { AgentId, SessionId } from '../kernel/id.ts';
import { parseCount } from '../kernel/parse.ts';
import type { SessionStatus } from './session.ts';

/** Whole days: what is younger than one may be in use. A hundred years and more are "for ever", which is no rule. */
export const RETENTION_DAYS_MAX = 36_500;
const DAY_MS = 86_400_000;

export interface RetentionRule {
  /** Days after it was archived; absent: for ever. */
  readonly archivedDays?: number | undefined;
  /** Days after it came to rest with a turn that is over: idle, failed, or waiting for an answer. Absent: for ever. */
  readonly idleDays?: number | undefined;
}

/** The rules of one organisation. */
export interface RetentionRules {
  /** Its own; absent: all is kept. */
  readonly organisation?: RetentionRule | undefined;
  /** Of its agents, those that have one. */
  readonly agents: ReadonlyMap<AgentId, RetentionRule>;
}

export const RESTING_STATUSES = [
  'idle',
  'awaiting_input',
  'failed',
  'archived',
] as const satisfies readonly SessionStatus[];
export type RestingStatus = (typeof RESTING_STATUSES)[number];

/** A session at rest, as far as rules ask for it. */
export interface Resting {
  readonly id: SessionId;
  readonly agentId: AgentId;
  readonly status: RestingStatus;
  readonly statusAt: number;
  /** Whether a server has it: its brain is there, or commands run in the background. */
  readonly isLeased: boolean;
}

export type RetentionReason = 'archived' | 'idle';

export interface Due {
  readonly reason: RetentionReason;
  /** When its days are over. */
  readonly at: number;
}

/** Throws InvalidInput. null is a limit left out. */
export function parseRule(given: {
  readonly archivedDays?: number | null | undefined;
  readonly idleDays?: number | null | undefined;
}): RetentionRule {
  return { archivedDays: daysOf('archivedDays', given), idleDays: daysOf('idleDays', given) };
}

/** The rule in force for an agent's sessions (RETENTION-2). */
export function ruleFor(rules: RetentionRules, agentId: AgentId): RetentionRule {
  return rules.agents.get(agentId) ?? rules.organisation ?? {};
}

/** When and why it goes; undefined where it is kept for ever (RETENTION-1). */
export function dueOf(
  { agentId, status, statusAt, isLeased }: Resting,
  rules: RetentionRules,
): Due | undefined {
  const reason = status === 'archived' ? 'archived' : 'idle';
  const days = ruleFor(rules, agentId)[`${reason}Days`];
  if (days === undefined || isLeased) return undefined;
  return { reason, at: statusAt + days * DAY_MS };
}

/** Whoever came to rest later than this is not due by any of the rules; undefined where none of them is about this status. */
export function latestDue(rules: RetentionRules, status: RestingStatus, now: number): number | undefined {
  const field = status === 'archived' ? 'archivedDays' : 'idleDays';
  const all = [rules.organisation, ...rules.agents.values()].flatMap((rule) => rule?.[field] ?? []);
  return all.length === 0 ? undefined : now - Math.min(...all) * DAY_MS;
}

function daysOf(
  field: 'archivedDays' | 'idleDays',
  given: Readonly<Partial<Record<typeof field, number | null | undefined>>>,
): number | undefined {
  return parseCount(field, given[field] ?? undefined, 1, RETENTION_DAYS_MAX);
}
