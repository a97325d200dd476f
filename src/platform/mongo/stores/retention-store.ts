/** Rules of retention, their clock, and what rests (sessions/retention-store.ts). All in `retention`, but for the sessions. */
import type { Collection, Filter } from 'mongodb';
import type { AgentId, OrganisationId, SessionId } from '../../../kernel/id.ts';
import type { Resting, RestingStatus, RetentionRules } from '../../../sessions/retention-rule.ts';
import type { KeptRule, RestingPage, RetentionStore } from '../../../sessions/retention-store.ts';
import type { MongoDatabase } from '../database.ts';
import { type Owned, Ownership } from '../ownership.ts';
import { isDuplicateKey, translated } from '../translate-error.ts';

/** `_id` is `<organisation>/<agent>`, of the organisation's own rule `<organisation>/`: so those of one organisation lie together, its own first. */
type RuleDocument = KeptRule & { readonly _id: string };
interface ClockDocument {
  readonly _id: 'clock';
  readonly at: number;
}
/** Of a session's document (journal/session-document.ts) what is asked for here. */
type RestingDocument = Owned & {
  readonly _id: SessionId;
  readonly agentId: AgentId;
  readonly status: RestingStatus;
  readonly state: { readonly statusAt: number; readonly lease?: { readonly owner: string } | undefined };
};

/** Ids of rules begin so, and that of the clock does not. */
const RULES_FROM = 'org_';

export class MongoRetentionStore implements RetentionStore {
  readonly #rules: Collection<RuleDocument>;
  readonly #clock: Collection<ClockDocument>;
  readonly #sessions: Collection<RestingDocument>;
  readonly #ownership: Ownership;

  constructor({ db, firstOrganisation }: Pick<MongoDatabase, 'db' | 'firstOrganisation'>) {
    this.#rules = db.collection('retention');
    this.#clock = db.collection('retention');
    this.#sessions = db.collection('session');
    this.#ownership = new Ownership(firstOrganisation);
  }

  async get(organisationId: OrganisationId, agentId?: AgentId): Promise<KeptRule | undefined> {
    return translated(async () => {
      const found = await this.#rules.findOne({ _id: idOf(organisationId, agentId) });
      if (found === null) return undefined;
      const { _id, ...kept } = found;
      return kept;
    });
  }

  async put(rule: KeptRule, readAt: number | undefined): Promise<boolean> {
    const _id = idOf(rule.organisationId, rule.agentId);
    return translated(async () => {
      if (readAt !== undefined) {
        const { matchedCount } = await this.#rules.replaceOne({ _id, updatedAt: readAt }, rule);
        return matchedCount === 1;
      }
      try {
        await this.#rules.insertOne({ _id, ...rule });
        return true;
      } catch (error) {
        if (isDuplicateKey(error)) return false;
        throw error;
      }
    });
  }

  async rules(organisationId: OrganisationId, agentsMax: number): Promise<RetentionRules> {
    return translated(async () => {
      const found = await this.#rules
        .find({ _id: { $gte: `${organisationId}/`, $lt: `${organisationId}0` }, rule: { $exists: true } }) // '0' follows '/'
        .sort({ _id: 1 })
        .limit(agentsMax + 1)
        .toArray();
      const agents = found.flatMap(({ agentId, rule }) =>
        agentId === undefined || rule === undefined ? [] : [[agentId, rule] as const],
      );
      const organisation = found.find(({ agentId }) => agentId === undefined)?.rule;
      return { organisation, agents: new Map(agents.slice(0, agentsMax)) };
    });
  }

  async next(after: OrganisationId | undefined): Promise<OrganisationId | undefined> {
    return translated(async () => {
      const [found] = await this.#rules
        .find({ _id: { $gt: after === undefined ? RULES_FROM : `${after}0` } }) // '0' follows '/'
        .sort({ _id: 1 })
        .limit(1)
        .toArray();
      return found?.organisationId;
    });
  }

  async resting(
    organisationId: OrganisationId,
    status: RestingStatus,
    { limit, until, after }: RestingPage,
  ): Promise<readonly Resting[]> {
    return translated(async () => {
      const found = await this.#sessions
        .find(restingFilter({ ...this.#ownership.by(organisationId), status }, { until, after }), {
          projection: { agentId: 1, 'state.statusAt': 1, 'state.lease.owner': 1 },
        })
        .sort({ 'state.statusAt': 1, _id: 1 })
        .limit(limit)
        .toArray();
      return found.map(({ _id, agentId, state: { statusAt, lease } }) => ({
        id: _id,
        agentId,
        status,
        statusAt,
        isLeased: lease !== undefined,
      }));
    });
  }

  async time(): Promise<number | undefined> {
    return (await translated(() => this.#clock.findOne({ _id: 'clock' })))?.at;
  }

  async advance(at: number): Promise<number> {
    return translated(async () => {
      const after = await this.#clock.findOneAndUpdate(
        { _id: 'clock' },
        { $max: { at } },
        { upsert: true, returnDocument: 'after' },
      );
      return after?.at ?? at;
    });
  }
}

function idOf(organisationId: OrganisationId, agentId: AgentId | undefined): string {
  return `${organisationId}/${agentId ?? ''}`;
}

/** The first bound is for the index; the second decides within one millisecond. */
export function restingFilter(
  of: object,
  { until, after }: Pick<RestingPage, 'until' | 'after'>,
): Filter<RestingDocument> {
  const at = 'state.statusAt';
  if (after === undefined) return { ...of, [at]: { $lte: until } };
  const { statusAt, id } = after;
  return {
    ...of,
    [at]: { $gte: statusAt, $lte: until },
    $or: [{ [at]: { $gt: statusAt } }, { [at]: statusAt, _id: { $gt: id } }],
  };
}
