/** The port for agents and their revisions. Contract: test/contracts/agent-store.ts. */
import type { AgentId } from '../kernel/id.ts';
import type { Agent, AgentRevision } from './agent.ts';

export interface AgentStore {
  /** Creates the agent with its first revision; when the id or the name is taken, writes nothing and answers that one. */
  create(agent: Agent): Promise<{ readonly created: boolean; readonly agent: Agent }>;

  /**
   * Replaces the agent if it has not changed since it was read (same `updatedAt`), and adds `agent.revision` when its
   * number is new. Answers false, with nothing written, when it has changed.
   */
  update(agent: Agent, readAt: number): Promise<boolean>;

  get(id: AgentId): Promise<Agent | undefined>;
  byName(name: string): Promise<Agent | undefined>;

  /** Newest first. */
  list(page: {
    readonly limit: number;
    readonly before?: { readonly createdAt: number; readonly id: AgentId } | undefined;
  }): Promise<readonly Agent[]>;

  revision(id: AgentId, number: number): Promise<AgentRevision | undefined>;
}
