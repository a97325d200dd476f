/**
 * Deleting an agent without a transaction: its document and those of its sessions are apart, so the two sides look at each other.
 *
 * Whoever deletes leaves a mark on the agent, looks for sessions that are queued or running, and then deletes, if the mark is there still; or
 * takes it back. Whoever starts a session looks for the mark once a majority has the session (AGENT-1). So of a start and a deletion
 * that cross one sees the other: a session that was there before the mark is seen by who deletes, and one that comes after it is taken back
 * by who starts it. Reads are of what the primary has, a majority or not: what was acknowledged is in it also after an election.
 *
 * A mark that whoever deletes did not come back for (its server was killed) is taken away by the first start that finds it old. Should that
 * be wrong, since clocks differ, then the deletion finds its mark gone and begins again.
 */
import { randomUUID } from 'node:crypto';
import type { Collection, Filter } from 'mongodb';
import type { Clock } from '../../../kernel/clock.ts';
import type { AgentId, OrganisationId, SessionId } from '../../../kernel/id.ts';
import { Outage } from '../../../kernel/outage.ts';
import type { Agent } from '../../../sessions/agent.ts';
import type { AgentDeletion } from '../../../sessions/agent-store.ts';
import { Batch } from '../batch.ts';
import type { MongoDatabase } from '../database.ts';
import { type Owned, Ownership } from '../ownership.ts';
import { withRetries } from '../retry-budget.ts';
import type { StoredRevision } from './agent-revision.ts';

/** `_id` is the agent's id; the rest is the agent as everyone knows it. */
export type AgentDocument = Omit<Agent, 'id' | 'organisationId' | 'deletedAt' | 'revision'> &
  Owned & {
    readonly _id: AgentId;
    readonly revision: StoredRevision;
    /** null is for conditions: it is equal to what is absent. */
    readonly deletedAt?: number | null | undefined;
    /** Of a deleted agent, whose `name` is one that nobody can give, so that the unique index lets others have its name. */
    readonly deletedName?: string | undefined;
    /** Somebody is about to delete it. */
    readonly mark?: { readonly by: string; readonly at: number } | undefined;
  };

interface SessionInUse {
  readonly _id: SessionId;
}

/** Others who delete it or change it at the same moment are in the way once or twice. */
const ATTEMPTS_MAX = 10;
/** Between a mark and what comes of it lies one read: older ones were left behind. */
const MARK_MS_MAX = 10_000;
/** Agents in one look, and looks at a time. */
const LOOK_MAX = 200;
const IN_FLIGHT_MAX = 4;
const NEWEST = { readConcern: { level: 'local' } } as const;

type Ports = Pick<MongoDatabase, 'db' | 'firstOrganisation'> & { readonly clock: Clock };

/** The side of whoever deletes. */
export class AgentDeletions {
  readonly #agents: Collection<AgentDocument>;
  readonly #sessions: Collection<SessionInUse>;
  readonly #ownership: Ownership;

  constructor({ db, firstOrganisation }: Pick<Ports, 'db' | 'firstOrganisation'>) {
    this.#agents = db.collection<AgentDocument>('agent', NEWEST);
    this.#sessions = db.collection<SessionInUse>('session', NEWEST);
    this.#ownership = new Ownership(firstOrganisation);
  }

  /** Answers the agent's document after it, or the session that is in the way. */
  async run(
    organisationId: OrganisationId,
    id: AgentId,
    { at, force }: AgentDeletion,
  ): Promise<
    | { readonly document: AgentDocument; readonly replayed: boolean }
    | { readonly inUse: SessionId }
    | undefined
  > {
    const own = { _id: id, ...this.#ownership.by(organisationId) };
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const before = await this.#agents.findOne(own);
      if (before === null) return undefined;
      if (isDeleted(before)) return { document: before, replayed: true };
      const met = force ? undefined : await this.#inUse(organisationId, id); // mostly the answer, and no start is in doubt
      if (met !== undefined) return { inUse: met };
      const mark = { by: randomUUID(), at };
      const isThere = { ...own, deletedAt: { $exists: false } };
      const { matchedCount } = await this.#agents.updateOne(isThere, { $set: { mark } });
      if (matchedCount === 0) continue; // somebody else has deleted it
      const marked = { ...own, 'mark.by': mark.by };
      const crossed = force ? undefined : await this.#inUse(organisationId, id);
      if (crossed !== undefined) {
        await this.#agents.updateOne(marked, { $unset: { mark: '' } });
        return { inUse: crossed };
      }
      const updatedAt = Math.max(at, before.updatedAt + 1);
      const name = `deleted/${id}`; // no name has a slash
      const gone = { deletedAt: at, deletedName: before.name, name, updatedAt };
      const asRead = { ...marked, updatedAt: before.updatedAt }; // who changes the agent takes the mark away, too
      const document = await this.#agents.findOneAndUpdate(
        asRead,
        { $set: gone, $unset: { mark: '' } },
        { returnDocument: 'after' },
      );
      if (document !== null) return { document, replayed: false };
    }
    throw new Outage('CONTENDED', 'This agent is being changed by others at the moment. Try again.');
  }

  async #inUse(organisationId: OrganisationId, agentId: AgentId): Promise<SessionId | undefined> {
    const filter = { ...this.#ownership.by(organisationId), status: { $in: ['queued', 'running'] }, agentId };
    // as: the fields of a session that are asked for here (journal/session-document.ts)
    const found = await this.#sessions.findOne(filter as Filter<SessionInUse>, { projection: { _id: 1 } });
    return found?._id;
  }
}

/** The side of whoever starts a session. */
export class AgentsOfStarts {
  readonly #agents: Collection<AgentDocument>;
  readonly #clock: Clock;
  readonly #marked: Batch<AgentId, AgentDocument | undefined>;

  constructor({ db, clock }: Pick<Ports, 'db' | 'clock'>) {
    this.#agents = db.collection<AgentDocument>('agent', NEWEST);
    this.#clock = clock;
    this.#marked = new Batch({
      itemsMax: LOOK_MAX,
      inFlightMax: IN_FLIGHT_MAX,
      run: (ids) => this.#look(ids),
    });
  }

  /** Whether a session that is in the database by now may stay there. An agent that nobody knows deletes nobody. */
  async mayStart(id: AgentId): Promise<boolean> {
    const found = await this.#marked.add(id);
    if (found === undefined) return true;
    const { mark } = found;
    if (isDeleted(found)) return false;
    if (mark === undefined) return true;
    if (this.#clock.now() - mark.at < MARK_MS_MAX) return false;
    await withRetries(this.#clock, () =>
      this.#agents.updateOne({ _id: id, 'mark.by': mark.by }, { $unset: { mark: '' } }),
    );
    return this.mayStart(id);
  }

  async #look(ids: readonly AgentId[]): Promise<readonly (AgentDocument | undefined)[]> {
    const projection = { deletedAt: 1, mark: 1 };
    const found = await withRetries(this.#clock, () =>
      this.#agents.find({ _id: { $in: [...new Set(ids)] } }, { projection }).toArray(),
    );
    const byId = new Map(found.map((document) => [document._id, document]));
    return ids.map((id) => byId.get(id));
  }
}

function isDeleted({ deletedAt }: Pick<AgentDocument, 'deletedAt'>): boolean {
  return deletedAt !== undefined && deletedAt !== null;
}
