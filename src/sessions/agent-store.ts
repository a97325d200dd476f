/** The port for agents and their revisions. Contract: test/contracts/agent-store.ts. */
import type { AgentId, OrganisationId } from '../kernel/id.ts';
import type { Agent, AgentRevision } from './agent.ts';

/** What is not of the organisation that is named is not there (ORGANISATION-1). */
export interface AgentStore {
  /** Creates the agent with its first revision; when the id, or in its organisation the name, is taken, writes nothing and answers that one. */
  create(agent: Agent): Promise<{ readonly created: boolean; readonly agent: Agent }>;

  /**
   * Replaces the agent if it has not changed since it was read (same `updatedAt`), and adds `agent.revision` when its
   * number is new. Answers false, with nothing written, when it has changed.
   */
  update(agent: Agent, readAt: number): Promise<boolean>;

  get(organisationId: OrganisationId, id: AgentId): Promise<Agent | undefined>;
  byName(organisationId: OrganisationId, name: string): Promise<Agent | undefined>;

  /** Newest first. */
  list(
    organisationId: OrganisationId,
    page: {
      readonly limit: number;
      readonly before?: { readonly createdAt: number; readonly id: AgentId } | undefined;
    },
  ): Promise<readonly Agent[]>;

  revision(organisationId: OrganisationId, id: AgentId, number: number): Promise<AgentRevision | undefined>;
}
