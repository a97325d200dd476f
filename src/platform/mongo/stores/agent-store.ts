/**
 * Agents and their revisions (sessions/agent-store.ts), without a transaction.
 *
 * The active revision is in the agent's document, so creating and changing an agent is one document, written at once. A
 * revision that is about to be replaced is copied to `agent_revision` before: it is true whether or not the change then
 * happens, and writing it again does nothing. So a revision is in one of the two, at every moment and after every crash.
 */
import type { Collection } from 'mongodb';
import type { AgentId } from '../../../kernel/id.ts';
import type { Agent, AgentRevision } from '../../../sessions/agent.ts';
import type { AgentStore } from '../../../sessions/agent-store.ts';
import type { MongoDatabase } from '../database.ts';
import { insertOnce } from '../insert-once.ts';
import { NEWEST_FIRST, olderThan } from '../newest-first.ts';
import { isDuplicateKey, translated } from '../translate-error.ts';

type Page = Parameters<AgentStore['list']>[0];

/** `_id` is the agent's id; the rest is the agent as everyone knows it. */
type AgentDocument = Omit<Agent, 'id'> & { readonly _id: AgentId };
/** `_id` is `<agent>/<number>`. */
type RevisionDocument = AgentRevision & { readonly _id: string };

export class MongoAgentStore implements AgentStore {
  readonly #agents: Collection<AgentDocument>;
  readonly #revisions: Collection<RevisionDocument>;

  constructor({ db }: MongoDatabase) {
    this.#agents = db.collection('agent');
    this.#revisions = db.collection('agent_revision');
  }

  async create(agent: Agent): Promise<{ readonly created: boolean; readonly agent: Agent }> {
    return translated(async () => {
      const made = await insertOnce(this.#agents, documentOf(agent), async () => {
        const ofId = await this.#agents.findOne({ _id: agent.id });
        return ofId ?? (await this.#agents.findOne({ name: agent.name }));
      });
      return made.inserted ? { created: true, agent } : { created: false, agent: agentOf(made.there) };
    });
  }

  async update(agent: Agent, readAt: number): Promise<boolean> {
    return translated(async () => {
      const asRead = { _id: agent.id, updatedAt: readAt };
      const before = await this.#agents.findOne(asRead);
      if (before === null) return false;
      if (before.revision.number !== agent.revision.number) await this.#keep(before.revision);
      const { _id, ...replacement } = documentOf(agent);
      const { matchedCount } = await this.#agents.replaceOne(
        { ...asRead, 'revision.number': before.revision.number },
        replacement,
      );
      return matchedCount === 1;
    });
  }

  async get(id: AgentId): Promise<Agent | undefined> {
    return translated(async () => agentOrNone(await this.#agents.findOne({ _id: id })));
  }

  async byName(name: string): Promise<Agent | undefined> {
    return translated(async () => agentOrNone(await this.#agents.findOne({ name })));
  }

  async list({ limit, before }: Page): Promise<readonly Agent[]> {
    return translated(async () => {
      const found = await this.#agents.find(olderThan(before)).sort(NEWEST_FIRST).limit(limit).toArray();
      return found.map(agentOf);
    });
  }

  /** The agent first: a revision that it does not show any more was kept before, never the other way round. */
  async revision(id: AgentId, number: number): Promise<AgentRevision | undefined> {
    return translated(async () => {
      const agent = await this.#agents.findOne({ _id: id });
      if (agent?.revision.number === number) return agent.revision;
      const kept = await this.#revisions.findOne({ _id: `${id}/${number}` }, { projection: { _id: 0 } });
      return kept ?? undefined;
    });
  }

  async #keep(revision: AgentRevision): Promise<void> {
    const { agentId, number } = revision;
    try {
      await this.#revisions.insertOne({ _id: `${agentId}/${number}`, ...revision });
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
    }
  }
}

function documentOf({ id, ...rest }: Agent): AgentDocument {
  return { _id: id, ...rest };
}

function agentOf({ _id, ...rest }: AgentDocument): Agent {
  return { id: _id, ...rest };
}

function agentOrNone(found: AgentDocument | null): Agent | undefined {
  return found === null ? undefined : agentOf(found);
}
