/** The port for rules of retention, for the clock that they are counted by, and for finding what rests. Contract: test/contracts/retention-store.ts. */
import type { AnsweredRequest } from '../kernel/answered-requests.ts';
import type { AgentId, OrganisationId, SessionId } from '../kernel/id.ts';
import type { Resting, RestingStatus, RetentionRule, RetentionRules } from './retention-rule.ts';

/** A rule as it is kept, also one that was taken back: it remembers the requests that changed it. */
export interface KeptRule {
  readonly organisationId: OrganisationId;
  /** Absent: the organisation's. */
  readonly agentId?: AgentId | undefined;
  /** Absent: taken back. */
  readonly rule?: RetentionRule | undefined;
  /** Also its version: grows with each change. */
  readonly updatedAt: number;
  readonly requests?: readonly AnsweredRequest[] | undefined;
}

/** Behind this one, in the order of `resting`. */
export interface RestingPlace {
  readonly statusAt: number;
  readonly id: SessionId;
}

export interface RestingPage {
  readonly limit: number;
  /** Only those that came to rest then or before. */
  readonly until: number;
  readonly after?: RestingPlace | undefined;
}

export interface RetentionStore {
  get(organisationId: OrganisationId, agentId?: AgentId): Promise<KeptRule | undefined>;

  /** Keeps it in place of the one that was read (`readAt`: its `updatedAt`; undefined: there was none). False, with nothing written, when that has changed. */
  put(rule: KeptRule, readAt: number | undefined): Promise<boolean>;

  /** All that are in force; of agents at most `agentsMax`. */
  rules(organisationId: OrganisationId, agentsMax: number): Promise<RetentionRules>;

  /** The first organisation behind this one, in the order of ids, for which a rule is kept. */
  next(after: OrganisationId | undefined): Promise<OrganisationId | undefined>;

  /** Sessions of the organisation that rest with this status, those that have rested longest first. */
  resting(
    organisationId: OrganisationId,
    status: RestingStatus,
    page: RestingPage,
  ): Promise<readonly Resting[]>;

  /** How far the clock of retention has come (retention-clock.ts), for all servers; undefined before it was first set. */
  time(): Promise<number | undefined>;

  /** Sets it forward to `at`, never back. Answers how far it is then. */
  advance(at: number): Promise<number>;
}
