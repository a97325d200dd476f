/**
 * A session: what it was started with (SessionOrigin, never changes) and where it stands (SessionState, the fold of
 * its events: sessions/fold.ts). The stores keep both; the second can always be rebuilt from the log, and a test does.
 */
import type { AgentId, CredentialId, OrganisationId, SessionId, TurnId } from '../kernel/id.ts';
import type { TurnOutcome } from '../journal/event-catalog.ts';
import type { ToolRequestKind } from '../journal/tool-request-events.ts';
import type { ClientTool, ToolRule } from './tool-rule.ts';
import type { Waits } from './waits.ts';

export const SESSION_STATUSES = [
  'queued',
  'running',
  'awaiting_input',
  'idle',
  'failed',
  'archived',
] as const;
export type SessionStatus = (typeof SESSION_STATUSES)[number];

/** Unset means no limit of that kind; TURN_SECONDS_MAX holds in any case. */
export interface Limits {
  /** Tokens of the whole session, all four kinds added up. */
  readonly tokens?: number | undefined;
  /** Wall clock of one turn. */
  readonly turnSeconds?: number | undefined;
  /** Turns of the whole session. */
  readonly turns?: number | undefined;
  /** Micro-dollars (millionths of a US dollar) of the whole session. */
  readonly costMicroUsd?: number | undefined;
}

/** Token counts as the model service reports them. */
export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheCreationInputTokens: number;
  readonly cacheReadInputTokens: number;
  /** False when a stream was cut: the counts are lower bounds. */
  readonly complete: boolean;
  /** Micro-dollars of the calls whose price was known; absent: of none. What all cost is for cost.ts to say. */
  readonly costMicroUsd?: number | undefined;
  /** Tokens of those calls. */
  readonly pricedTokens?: number | undefined;
}

export const NO_USAGE: Usage = {
  inputTokens: 0,
  outputTokens: 0,
  cacheCreationInputTokens: 0,
  cacheReadInputTokens: 0,
  complete: true,
};

export function tokensOf(usage: Usage): number {
  return usage.inputTokens + usage.outputTokens + usage.cacheCreationInputTokens + usage.cacheReadInputTokens;
}

export interface SessionOrigin {
  readonly id: SessionId;
  readonly organisationId: OrganisationId;
  readonly createdAt: number;
  readonly agentId: AgentId;
  /** The agent's revision at the start: prompt and model do not change under a running session. */
  readonly agentRevision: number;
  /** `provider/name`, of that revision or as overridden at the start. */
  readonly model: string;
  /** Resolved and pinned at the start; absent when the server's own key is used (ANTHROPIC_API_KEY). */
  readonly credentialId?: CredentialId | undefined;
  readonly limits: Limits;
  /** Which tool calls may run, as given at the start. */
  readonly toolRules?: readonly ToolRule[] | undefined;
  /** The same, of the agent's revision. Where there is no rule all calls run (tool-rule.ts). */
  readonly agentRules?: readonly ToolRule[] | undefined;
  /** The agent's tools that somebody outside runs. */
  readonly clientTools?: readonly ClientTool[] | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** The caller's natural key: one session per key in an organisation. */
  readonly key?: string | undefined;
  /** Hash of the request that started the session, to tell a replay from a conflict. */
  readonly requestHash: string;
}

export interface Failure {
  readonly code: string;
  readonly message: string;
}

/** The one tool that is none of the hands: it asks the user, whose answer is the next message (brain/toolbox.ts). */
export const ASK = 'ask';

/** What somebody outside is asked before a tool call goes on (tool-requests.ts). */
export interface ToolRequest {
  readonly kind: ToolRequestKind;
  /** Of its tool.requested. */
  readonly seq: number;
  readonly since: number;
  readonly expiresAt?: number | undefined;
}

/** A tool call that has no result yet. */
export interface OpenTool {
  readonly callId: string;
  readonly tool: string;
  /** False: no hands are asked for it, so that it has no effect, whatever becomes of its turn. */
  readonly mayRun: boolean;
  /** Set while it waits for somebody outside. */
  readonly request?: ToolRequest | undefined;
}

export interface Turn {
  readonly id: TurnId;
  readonly number: number;
  readonly state: 'running' | 'completed';
  readonly startedAt: number;
  readonly inputFromSeq: number;
  /** Seq of the last message of this turn; grows when somebody steers. */
  readonly inputToSeq: number;
  /** Messages up to here have been part of a model call. */
  readonly consumedToSeq: number;
  readonly modelCalls: number;
  /** The model call that has started and not ended: what it was saying can still be journalled (lifecycle.ts). */
  readonly openCallId?: string | undefined;
  /** Whoever ends the turn answers them (turn-events.ts). */
  readonly openTools?: readonly OpenTool[] | undefined;
  /** Set when somebody asked to end this turn; the outcome it will have. */
  readonly stopping?: 'canceled' | 'interrupted' | undefined;
  readonly usage: Usage;
  readonly completedAt?: number | undefined;
  readonly outcome?: TurnOutcome | undefined;
  readonly resultEventId?: string | undefined;
  readonly failure?: Failure | undefined;
}

/** Who may write for the session's brain. Valid while the owner's heartbeat is (supervisor/lease.ts). */
export interface Lease {
  readonly owner: string;
  readonly epoch: number;
  readonly since: number;
}

export interface SessionState {
  readonly status: SessionStatus;
  /** When the status last changed. */
  readonly statusAt: number;
  /** JOURNAL-4: grows with each lease. */
  readonly epoch: number;
  readonly lease?: Lease | undefined;
  readonly hibernated: boolean;
  readonly turnCount: number;
  /** The running turn, or the last one. */
  readonly turn?: Turn | undefined;
  /** Messages that wait for the next turn. */
  readonly pending?: { readonly count: number; readonly fromSeq: number; readonly toSeq: number } | undefined;
  readonly usage: Usage;
  /** Rules that approvals have added, the newest first: they come before those of the start. */
  readonly addedRules?: readonly ToolRule[] | undefined;
  /** What it waited for from people since, and whose it is (waits.ts); absent: it never did. */
  readonly waits?: Waits | undefined;
  /** Those of the start were replaced by these. */
  readonly newLimits?: Limits | undefined;
  /** Brains lost since the last progress, and when the next may start. */
  readonly losses: number;
  readonly retryAt?: number | undefined;
  /** Why the session failed; cleared when the next turn starts. */
  readonly failure?: Failure | undefined;
  /** The last model retry of the running call, for `why`. */
  readonly retry?:
    | { readonly attempt: number; readonly attemptMax: number; readonly at: number; readonly code: string }
    | undefined;
}

export type Session = SessionOrigin & SessionState;

/** What the session may use now. */
export function limitsInForce({ limits, newLimits }: Pick<Session, 'limits' | 'newLimits'>): Limits {
  return newLimits ?? limits;
}

export function newSession(origin: SessionOrigin): Session {
  return {
    ...origin,
    status: 'idle',
    statusAt: origin.createdAt,
    epoch: 0,
    hibernated: true,
    turnCount: 0,
    usage: NO_USAGE,
    losses: 0,
  };
}

/** What never changes, and what appends do: stores keep the two apart. */
export function partsOf(session: Session): { readonly origin: SessionOrigin; readonly state: SessionState } {
  const {
    id,
    organisationId,
    createdAt,
    agentId,
    agentRevision,
    model,
    credentialId,
    limits,
    toolRules,
    agentRules,
    clientTools,
    metadata,
    key,
    requestHash,
    ...state
  } = session;
  const origin = {
    id,
    organisationId,
    createdAt,
    agentId,
    agentRevision,
    model,
    credentialId,
    limits,
    toolRules,
    agentRules,
    clientTools,
    metadata,
    key,
    requestHash,
  };
  return { origin, state };
}
