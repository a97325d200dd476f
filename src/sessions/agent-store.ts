/** The port for agents and their revisions. Contract: test/contracts/agent-store.ts. */
import type { AgentId, OrganisationId, SessionId } from '../kernel/id.ts';
import type { Agent, AgentRevision } from './agent.ts';

/** What is asked of delete(). */
export interface AgentDeletion {
  readonly at: number;
  /** Also while sessions of it are queued or running. */
  readonly force: boolean;
}

/** `inUse`: nothing was changed, since this session of it is queued or running. */
export type AgentDeleted =
  | { readonly kind: 'deleted'; readonly agent: Agent; readonly replayed: boolean }
  | { readonly kind: 'inUse'; readonly sessionId: SessionId };

/** What is not of the organisation that is named is not there (ORGANISATION-1). */
export interface AgentStore {
  /**
   * Creates the agent with its first revision; when the id, or in its organisation the name, is taken, writes nothing and answers that
   * one. A deleted agent has its id for ever, and its name no more (AGENT-2).
   */
  create(agent: Agent): Promise<{ readonly created: boolean; readonly agent: Agent }>;

  /**
   * Replaces the agent if it has not changed since it was read (same `updatedAt`), and adds `agent.revision` when its
   * number is new. Answers false, with nothing written, when it has changed, also by being deleted.
   */
  update(agent: Agent, readAt: number): Promise<boolean>;

  /** Deletes it, or says which session is in the way (AGENT-1, AGENT-3); undefined when there is no such agent. */
  delete(
    organisationId: OrganisationId,
    id: AgentId,
    deletion: AgentDeletion,
  ): Promise<AgentDeleted | undefined>;

  /** Also one that was deleted: its sessions are there still. */
  get(organisationId: OrganisationId, id: AgentId): Promise<Agent | undefined>;
  byName(organisationId: OrganisationId, name: string): Promise<Agent | undefined>;

  /** Newest first, without those that were deleted. */
  list(
    organisationId: OrganisationId,
    page: {
      readonly limit: number;
      readonly before?: { readonly createdAt: number; readonly id: AgentId } | undefined;
    },
  ): Promise<readonly Agent[]>;

  revision(organisationId: OrganisationId, id: AgentId, number: number): Promise<AgentRevision | undefined>;
}
