/**
 * The use cases of retention, of one organisation: what its rules are, changing one, and what would go now. What is due is deleted by
 * supervisor/retention-sweep.ts.
 */
import { answeredWith, remembered } from '../kernel/answered-requests.ts';
import type { Clock } from '../kernel/clock.ts';
import { IdempotencyConflict, InvalidInput } from '../kernel/fault.ts';
import type { AgentId, Organisation } from '../kernel/id.ts';
import { parseKey, requestHash } from '../kernel/request-hash.ts';
import type { Agents } from './agents.ts';
import { retentionTime } from './retention-clock.ts';
import {
  type Due,
  dueOf,
  latestDue,
  parseRule,
  RESTING_STATUSES,
  type Resting,
  type RestingStatus,
  type RetentionRule,
  type RetentionRules,
} from './retention-rule.ts';
import type { KeptRule, RestingPlace, RetentionStore } from './retention-store.ts';

/** Agents of an organisation that have a rule of their own: a sweep reads them all at each look. */
export const RETENTION_AGENTS_MAX = 1_000;
/** Sessions that a preview looks at; with more it says that it has not seen all. */
export const PREVIEW_LOOKED_MAX = 10_000;
/** Of these at a time: some milliseconds of an embedded store. */
const PREVIEW_PAGE = 500;
/** Two writers who keep colliding on one rule are told to try again, rather than wait for ever. */
const SET_ATTEMPTS_MAX = 5;

export interface RetentionInForce extends RetentionRule {
  readonly agentId?: AgentId | undefined;
  /** The agent has no rule of its own: this is the organisation's. */
  readonly isInherited: boolean;
  /** When the rule was last changed; absent: there is none. */
  readonly updatedAt?: number | undefined;
}

export interface SetRetention {
  /** Absent: of the organisation. */
  readonly agentId?: AgentId | undefined;
  readonly archivedDays?: number | null | undefined;
  readonly idleDays?: number | null | undefined;
  /** The agent has no rule of its own any more. */
  readonly inherit?: boolean | undefined;
  readonly idempotencyKey?: string | undefined;
}

export interface PreviewRequest {
  /** Only its sessions. */
  readonly agentId?: AgentId | undefined;
  /** In place of the rule that there is: of the agent, or else of the organisation. */
  readonly rule?:
    | { readonly archivedDays?: number | null | undefined; readonly idleDays?: number | null | undefined }
    | undefined;
  readonly first: number;
  /** Waited for before each read: others have their turns, too. */
  turn(): Promise<void>;
}

export interface RetentionPreview {
  /** The time that is counted by. */
  readonly asOf: number;
  readonly count: number;
  /** False: there was more to look at than a preview does. */
  readonly isComplete: boolean;
  /** Those that are due longest. */
  readonly sessions: readonly (Resting & { readonly due: Due })[];
}

export interface RetentionPorts {
  readonly retention: RetentionStore;
  /** Of the same organisation. */
  readonly agents: Pick<Agents, 'get'>;
  readonly clock: Clock;
  readonly organisation: Organisation;
}

export class Retention {
  readonly #ports: RetentionPorts;

  constructor(ports: RetentionPorts) {
    this.#ports = ports;
  }

  /** The rule in force, of the organisation or of one of its agents. Throws AgentNotFound. */
  async get(agentId?: AgentId): Promise<RetentionInForce> {
    const { retention, agents, organisation } = this.#ports;
    if (agentId !== undefined) await agents.get(agentId);
    const own = await retention.get(organisation.id, agentId);
    if (agentId === undefined || own?.rule !== undefined) return inForce(own, agentId);
    const { archivedDays, idleDays, updatedAt } = inForce(await retention.get(organisation.id));
    return { agentId, archivedDays, idleDays, isInherited: true, updatedAt };
  }

  /**
   * Replaces the rule as a whole. `replayed` when nothing differs, or when it was done before with the same idempotency key. Throws
   * InvalidInput, AgentNotFound, IdempotencyConflict.
   */
  async set(request: SetRetention): Promise<{ retention: RetentionInForce; replayed: boolean }> {
    const { agentId, inherit = false } = request;
    const { retention, agents, organisation, clock } = this.#ports;
    const key = parseKey('idempotencyKey', request.idempotencyKey);
    const { archivedDays, idleDays } = request;
    const hash = requestHash({ archivedDays, idleDays, inherit: inherit || undefined });
    if (agentId !== undefined) await agents.get(agentId);
    for (let attempt = 0; attempt < SET_ATTEMPTS_MAX; attempt += 1) {
      const before = await retention.get(organisation.id, agentId);
      const asked = answeredWith(before?.requests, key);
      if (asked !== undefined && asked.hash !== hash) throw new IdempotencyConflict(key ?? '');
      if (asked !== undefined) return { retention: await this.get(agentId), replayed: true };
      const rule = ruleOf(request);
      const isSame = requestHash(rule ?? null) === requestHash(before?.rule ?? null);
      if (isSame && key === undefined) return { retention: await this.get(agentId), replayed: true };
      if (agentId !== undefined && rule !== undefined && before?.rule === undefined)
        await this.#refuseTooMany();
      const kept: KeptRule = {
        organisationId: organisation.id,
        agentId,
        rule,
        updatedAt: Math.max(clock.now(), (before?.updatedAt ?? 0) + 1),
        requests: remembered(before?.requests, key, hash),
      };
      if (await retention.put(kept, before?.updatedAt))
        return { retention: await this.get(agentId), replayed: isSame };
    }
    throw new InvalidInput('agentId', 'this rule is being changed by someone else; try again.');
  }

  /** What would be deleted if the sweep came by now. Throws AgentNotFound, InvalidInput. */
  async preview({ agentId, rule, first, turn }: PreviewRequest): Promise<RetentionPreview> {
    const { retention, agents, organisation, clock } = this.#ports;
    if (agentId !== undefined) await agents.get(agentId);
    const given = rule === undefined ? undefined : parseRule(rule);
    const kept = await retention.rules(organisation.id, RETENTION_AGENTS_MAX);
    const rules = given === undefined ? kept : changedBy(kept, given, agentId);
    const asOf = await retentionTime(retention, clock);
    const due: (Resting & { readonly due: Due })[] = [];
    let looked = 0;
    let isComplete = true;
    for (const status of RESTING_STATUSES) {
      const until = latestDue(rules, status, asOf);
      if (until === undefined) continue;
      for await (const resting of this.#resting(status, until, turn)) {
        looked += 1;
        if (looked > PREVIEW_LOOKED_MAX) isComplete = false;
        if (!isComplete) break;
        const its = dueOf(resting, rules);
        const isAsked = agentId === undefined || resting.agentId === agentId;
        if (isAsked && its !== undefined && its.at <= asOf) due.push({ ...resting, due: its });
      }
    }
    const sessions = due.toSorted((one, other) => one.due.at - other.due.at).slice(0, first);
    return { asOf, count: due.length, isComplete, sessions };
  }

  async *#resting(
    status: RestingStatus,
    until: number,
    turn: () => Promise<void>,
  ): AsyncGenerator<Resting, void> {
    const { retention, organisation } = this.#ports;
    let after: RestingPlace | undefined;
    for (;;) {
      await turn();
      const page = await retention.resting(organisation.id, status, { limit: PREVIEW_PAGE, until, after });
      yield* page;
      if (page.length < PREVIEW_PAGE) return;
      after = page.at(-1);
    }
  }

  async #refuseTooMany(): Promise<void> {
    const { retention, organisation } = this.#ports;
    const { agents } = await retention.rules(organisation.id, RETENTION_AGENTS_MAX);
    if (agents.size >= RETENTION_AGENTS_MAX)
      throw new InvalidInput(
        'agentId',
        `${RETENTION_AGENTS_MAX} agents have rules of their own, which is the most. Let one inherit the organisation's again.`,
      );
  }
}

/** Undefined: none of its own. Throws InvalidInput. */
function ruleOf({
  agentId,
  archivedDays,
  idleDays,
  inherit = false,
}: SetRetention): RetentionRule | undefined {
  const rule = parseRule({ archivedDays, idleDays });
  if (!inherit) return rule;
  if (agentId === undefined)
    throw new InvalidInput('inherit', 'an organisation has nobody to inherit from: leave it out.');
  if (rule.archivedDays !== undefined || rule.idleDays !== undefined)
    throw new InvalidInput('inherit', 'give either days or inherit.');
  return undefined;
}

function inForce(kept: KeptRule | undefined, agentId?: AgentId): RetentionInForce {
  const { archivedDays, idleDays } = kept?.rule ?? {};
  return { agentId, archivedDays, idleDays, isInherited: false, updatedAt: kept?.updatedAt };
}

function changedBy(rules: RetentionRules, rule: RetentionRule, agentId: AgentId | undefined): RetentionRules {
  if (agentId === undefined) return { ...rules, organisation: rule };
  return { ...rules, agents: new Map([...rules.agents, [agentId, rule]]) };
}
