/**
 * An agent: a named definition that sessions are started from. Prompt, model and how the model is called make a
 * revision; a session pins the revision it was started with.
 */
import type { AnsweredRequest } from '../kernel/answered-requests.ts';
import type { AgentId, CredentialId, OrganisationId } from '../kernel/id.ts';
import type { AgentTool } from './agent-tool.ts';
import type { ToolRule } from './tool-rule.ts';
import type { ModelSettings } from './model-plan.ts';
import type { Limits } from './session.ts';

export const RUNTIMES = ['claude'] as const;
export type Runtime = (typeof RUNTIMES)[number];

export interface AgentRevision {
  readonly agentId: AgentId;
  /** 1, 2, 3 … */
  readonly number: number;
  readonly prompt: string;
  /** `provider/name`, for example `anthropic/claude-sonnet-5`. */
  readonly model: string;
  /** Absent in revisions that were made before there were any. */
  readonly settings?: ModelSettings | undefined;
  /** What it declares beside the tools of every session; absent: nothing. */
  readonly tools?: readonly AgentTool[] | undefined;
  /** Which tool calls of its sessions may run; absent: all. */
  readonly toolRules?: readonly ToolRule[] | undefined;
  readonly createdAt: number;
}

export interface Agent {
  readonly id: AgentId;
  readonly organisationId: OrganisationId;
  /** Unique in its organisation, and immutable. */
  readonly name: string;
  readonly runtime: Runtime;
  /** The active revision. */
  readonly revision: AgentRevision;
  /** Absent: the provider's default credential at the start of each session. */
  readonly credentialId?: CredentialId | undefined;
  /** Defaults for sessions. */
  readonly limits: Limits;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Since when it starts no sessions; those that it had keep their revisions (agent-deletion.ts). */
  readonly deletedAt?: number | undefined;
  /** Hash of the request that created it, to tell a replay from a conflict. */
  readonly requestHash: string;
  /** The later requests with an idempotency key, the newest last. */
  readonly requests?: readonly AnsweredRequest[] | undefined;
}
