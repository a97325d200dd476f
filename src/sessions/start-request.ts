/**
 * Whether a request to start a session is the one that started this session. It is asked before anything of it is checked:
 * what was done once is answered again, whatever has become of agents, credentials, models and limits since.
 */
import { METADATA_BYTES_MAX } from '../kernel/limit.ts';
import { InvalidInput } from '../kernel/fault.ts';
import type { AgentId } from '../kernel/id.ts';
import { requestHash } from '../kernel/request-hash.ts';
import { wellFormedJson } from '../kernel/well-formed.ts';
import { isJson, whyNotJson } from '../journal/codec.ts';
import type { Audits } from '../journal/journal.ts';
import type { Actor } from '../journal/event.ts';
import type { Limits, Session } from './session.ts';
import type { GivenRule } from './tool-rule-request.ts';

export interface StartSession {
  /** Id or name. */
  readonly agent: string;
  readonly input: string;
  /** Another model of the same provider than the agent's. */
  readonly model?: string | undefined;
  /** Each overrides the agent's. */
  readonly limits?: Limits | undefined;
  /** Before those of the agent (APPROVAL-1). */
  readonly toolRules?: readonly GivenRule[] | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** One session per key: the same request again answers the same session. */
  readonly key?: string | undefined;
  readonly idempotencyKey?: string | undefined;
  readonly actor: Actor;
  readonly audit?: Audits<Session> | undefined;
}

export interface StartFields {
  readonly input: string;
  readonly model?: string | undefined;
  readonly limits?: Limits | undefined;
  readonly toolRules?: readonly GivenRule[] | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly key?: string | undefined;
}

/** As the request was given: texts are made well-formed, and the request is the same whether or not they were before. */
export function startHash(
  { input, model, limits, toolRules = [], metadata, key }: StartFields,
  agentId: AgentId,
): string {
  const isLimited = Object.values(limits ?? {}).some((limit) => limit !== undefined);
  return requestHash({
    agent: agentId,
    input,
    model,
    limits: isLimited ? limits : undefined,
    toolRules: toolRules.length === 0 ? undefined : toolRules,
    metadata,
    key,
  });
}

/** Of all but the agent, which the caller compares: it may have been named by its id or by its name. */
export function isSameStart(session: Session, request: StartFields): boolean {
  const { agentId, requestHash: hash } = session;
  if (request.metadata !== undefined && !isJson(request.metadata)) return false;
  return hash === startHash(request, agentId) || hash === hashOfLists(request, agentId);
}

/** Sessions of versions that hashed the fields by their places. */
function hashOfLists({ input, model, limits, metadata, key }: StartFields, agentId: AgentId): string {
  return requestHash([agentId, input, model, limits, metadata, key]);
}

/** Answers it well-formed. Throws InvalidInput. */
export function parseMetadata<T extends Readonly<Record<string, unknown>>>(
  value: T | undefined,
  field = 'metadata',
  bytesMax = METADATA_BYTES_MAX,
): T | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidInput(field, 'expected a JSON object.');
  }
  const why = whyNotJson(value);
  if (why !== undefined) throw new InvalidInput(field, why);
  const kept = wellFormedJson(value) as T; // JSON, checked above, of the same shape
  const bytes = Buffer.byteLength(JSON.stringify(kept));
  if (bytes > bytesMax)
    throw new InvalidInput(field, `expected at most ${bytesMax} bytes of JSON, got ${bytes}.`);
  return kept;
}
