/**
 * Agents and their revisions (sessions/agent-store.ts), without a transaction.
 *
 * The active revision is in the agent's document, so creating and changing an agent is one document, written at once. A
 * revision that is about to be replaced is copied to `agent_revision` before: it is true whether or not the change then
 * happens, and writing it again does nothing. So a revision is in one of the two, at every moment and after every crash.
 */
import type { Collection, Filter } from 'mongodb';
import type { AgentId, OrganisationId } from '../../../kernel/id.ts';
import type { Agent, AgentRevision } from '../../../sessions/agent.ts';
import type { AgentDeleted, AgentDeletion, AgentStore } from '../../../sessions/agent-store.ts';
import type { MongoDatabase } from '../database.ts';
import { insertOnce } from '../insert-once.ts';
import { NEWEST_FIRST, olderThan } from '../newest-first.ts';
import { Ownership } from '../ownership.ts';
import { isDuplicateKey, translated } from '../translate-error.ts';
import { revisionOf, storedRevision, type StoredRevision } from './agent-revision.ts';
import { AgentDeletions, type AgentDocument } from './agent-deletion.ts';

type Page = Parameters<AgentStore['list']>[1];

/** A condition with an equality, for the index: null is equal to what is absent. */
const NOT_DELETED = { deletedAt: null } as const;

/** `_id` is `<agent>/<number>`. */
type RevisionDocument = StoredRevision & { readonly _id: string };

export class MongoAgentStore implements AgentStore {
  readonly #agents: Collection<AgentDocument>;
  readonly #revisions: Collection<RevisionDocument>;
  readonly #ownership: Ownership;
  readonly #deletions: AgentDeletions;

  constructor({ db, firstOrganisation }: Pick<MongoDatabase, 'db' | 'firstOrganisation'>) {
    this.#agents = db.collection('agent');
    this.#revisions = db.collection('agent_revision');
    this.#ownership = new Ownership(firstOrganisation);
    this.#deletions = new AgentDeletions({ db, firstOrganisation });
  }

  async create(agent: Agent): Promise<{ readonly created: boolean; readonly agent: Agent }> {
    return translated(async () => {
      const made = await insertOnce(this.#agents, this.#documentOf(agent), async () => {
        const own = this.#ownership.by(agent.organisationId);
        const ofId = await this.#agents.findOne({ _id: agent.id, ...own });
        return ofId ?? (await this.#agents.findOne({ ...own, name: agent.name }));
      });
      return made.inserted ? { created: true, agent } : { created: false, agent: this.#agentOf(made.there) };
    });
  }

  async update(agent: Agent, readAt: number): Promise<boolean> {
    return translated(async () => {
      const own = this.#ownership.by(agent.organisationId);
      const asRead = { _id: agent.id, ...own, updatedAt: readAt, deletedAt: { $exists: false } };
      const before = await this.#agents.findOne(asRead);
      if (before === null) return false;
      if (before.revision.number !== agent.revision.number) await this.#keep(before.revision);
      const { _id, ...replacement } = this.#documentOf(agent);
      const { matchedCount } = await this.#agents.replaceOne(
        { ...asRead, 'revision.number': before.revision.number },
        replacement,
      );
      return matchedCount === 1;
    });
  }

  async delete(
    organisationId: OrganisationId,
    id: AgentId,
    deletion: AgentDeletion,
  ): Promise<AgentDeleted | undefined> {
    const done = await translated(() => this.#deletions.run(organisationId, id, deletion));
    if (done === undefined) return undefined;
    if ('inUse' in done) return { kind: 'inUse', sessionId: done.inUse };
    return { kind: 'deleted', agent: this.#agentOf(done.document), replayed: done.replayed };
  }

  async get(organisationId: OrganisationId, id: AgentId): Promise<Agent | undefined> {
    return this.#one({ _id: id, ...this.#ownership.by(organisationId) });
  }

  async byName(organisationId: OrganisationId, name: string): Promise<Agent | undefined> {
    return this.#one({ ...this.#ownership.by(organisationId), name });
  }

  async list(organisationId: OrganisationId, { limit, before }: Page): Promise<readonly Agent[]> {
    return translated(async () => {
      const found = await this.#agents
        .find({ ...this.#ownership.by(organisationId), ...NOT_DELETED, ...olderThan(before) })
        .sort(NEWEST_FIRST)
        .limit(limit)
        .toArray();
      return found.map((one) => this.#agentOf(one));
    });
  }

  /** The agent first: a revision that it does not show any more was kept before, never the other way round. */
  async revision(
    organisationId: OrganisationId,
    id: AgentId,
    number: number,
  ): Promise<AgentRevision | undefined> {
    return translated(async () => {
      const agent = await this.#agents.findOne({ _id: id, ...this.#ownership.by(organisationId) });
      if (agent === null) return undefined;
      if (agent.revision.number === number) return revisionOf(agent.revision);
      const kept = await this.#revisions.findOne({ _id: `${id}/${number}` }, { projection: { _id: 0 } });
      return kept === null ? undefined : revisionOf(kept);
    });
  }

  async #keep(revision: StoredRevision): Promise<void> {
    const { agentId, number } = revision;
    try {
      await this.#revisions.insertOne({ _id: `${agentId}/${number}`, ...revision });
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
    }
  }

  async #one(filter: Filter<AgentDocument>): Promise<Agent | undefined> {
    const found = await translated(() => this.#agents.findOne(filter));
    return found === null ? undefined : this.#agentOf(found);
  }

  #documentOf({ id, organisationId, revision, ...rest }: Agent): AgentDocument {
    const owned = { _id: id, organisationId: this.#ownership.stored(organisationId) };
    return { ...owned, ...rest, revision: storedRevision(revision) };
  }

  #agentOf({
    _id,
    organisationId,
    name,
    deletedAt,
    deletedName,
    mark: _mark,
    revision,
    ...rest
  }: AgentDocument): Agent {
    const owner = this.#ownership.read({ organisationId });
    return {
      id: _id,
      organisationId: owner,
      name: deletedName ?? name,
      ...rest,
      revision: revisionOf(revision),
      deletedAt: deletedAt ?? undefined,
    };
  }
}
