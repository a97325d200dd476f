/**
 * The unit endpoint: all that a brain can ask of the control plane. HTTP over one unix socket at home, TLS in the cloud, with
 * `Authorization: Bearer <unit token>`; the token names the session and the epoch, so no request does.
 *
 *   GET  /unit/assignment              -> Assignment
 *   GET  /unit/events?after=<seq>      -> JSON lines of UnitEvents, history then live, until closed
 *   GET  /unit/events?after=<seq>&to=<seq>  -> the same, up to `to`, and the end
 *   POST /unit/append   UnitAppend     -> UnitAppended              (idempotent by key)
 *   POST /unit/deltas   UnitDelta      -> 204                       (ephemeral, never journalled)
 *   POST /unit/tools/<callId> UnitToolCall -> ToolResult            (idempotent by callId; waits for the result;
 *                                                                    a closed request does not stop the tool)
 *   POST /unit/tools/<callId>/cancel   -> 204
 *   POST /v1/messages                  -> the model gateway; header x-holdfast-call names the model call
 *
 * A refusal is `{ error: { code, message } }` with the fault's status (401 unauthenticated, 409 lifecycle and epoch).
 * WIRE-1 Whose refusal an answer to a model call is, the header x-holdfast-refusal alone says: `door`, in that form; `gateway`, in the form
 *        that the model service uses; absent, the service itself said it, whatever it said.
 */
import type { RecordedEvent } from '../journal/event.ts';
import type { SessionId } from '../kernel/id.ts';
import type { AgentTool } from './agent-tool.ts';
import type { Command } from './lifecycle.ts';
import type { ModelPlan } from './model-plan.ts';
import type { Limits } from './session.ts';
import type { WakePlace } from './wake-place.ts';

/** What a brain is told when it starts. */
export interface Assignment {
  readonly sessionId: SessionId;
  readonly epoch: number;
  readonly prompt: string;
  /** How the session's model is called. */
  readonly plan: ModelPlan;
  /** Another model of the same provider, for when that one is not to be had or declines. */
  readonly fallback?: ModelPlan | undefined;
  readonly limits: Limits;
  /** The tools that the agent declares; absent: none. */
  readonly tools?: readonly Pick<AgentTool, 'name' | 'description' | 'inputSchema'>[] | undefined;
  /** Where it begins to read; absent: at event 1. */
  readonly wake?: WakePlace | undefined;
}

/** Events with their whole bodies, spilled ones too. `head` says how far the log went when the line was sent. */
export interface UnitEvents {
  readonly events: readonly RecordedEvent[];
  readonly head: number;
}

/** What a brain may command of its session's life. */
export type UnitCommand = Extract<Command, { kind: 'beginTurn' | 'record' | 'completeTurn' }>;

export interface UnitAppend {
  /** JOURNAL-5: derived from the step, so that a brain that comes back appends it once. */
  readonly key: string;
  readonly command: UnitCommand;
}

export interface UnitAppended {
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly replayed: boolean;
}

export interface UnitToolCall {
  readonly tool: string;
  readonly input: unknown;
  readonly timeoutMs: number;
  /** hands/wire.ts */
  readonly inherited?: boolean | undefined;
}

/** A piece of what the model is writing: `text` goes at `offset` (UTF-16 units) of the message, or of the thinking, of `callId`. */
export interface UnitDelta {
  readonly callId: string;
  /** Default: message. */
  readonly kind?: 'message' | 'thinking' | undefined;
  readonly offset: number;
  readonly text: string;
}

/** The header that ties a gateway request to its model call, for metering. */
export const CALL_HEADER = 'x-holdfast-call';

/** WIRE-1. The gateway passes on no header of this name that a model service sends (GATEWAY-4). */
export const REFUSAL_HEADER = 'x-holdfast-refusal';
export const DOOR_REFUSAL = 'door';
export const GATEWAY_REFUSAL = 'gateway';

/** The line on a brain's stdin that gives a spare its session. The token is never in its arguments or environment. */
export interface Assign {
  readonly kind: 'assign';
  readonly token: string;
}

/** The line that asks a brain with a session whether it lives; it answers `{"kind":"pong"}` on stdout. */
export interface Ping {
  readonly kind: 'ping';
}
