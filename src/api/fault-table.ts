/**
 * The HTTP status of each Fault. On the GraphQL door it is used for refusals of the whole request only; a Fault of one
 * operation is part of its result. `satisfies` keeps the table complete for the codes below.
 */
import type {
  Fault,
  Forbidden,
  IdempotencyConflict,
  InvalidInput,
  Unauthenticated,
} from '../kernel/fault.ts';
import type { KeyInUrl, RateLimited } from '../access/faults.ts';
import type { Outage } from '../kernel/outage.ts';
import type { EpochStale, LogFull, SessionGone, SessionNotFound } from '../journal/faults.ts';
import type { CredentialNotFound } from '../secrets/faults.ts';
import type * as accessFaults from '../access/faults.ts';
import type * as sessionFaults from '../sessions/faults.ts';

type SessionFault = InstanceType<(typeof sessionFaults)[keyof typeof sessionFaults]>;
type AccessFault = InstanceType<(typeof accessFaults)[keyof typeof accessFaults]>;
type KnownFault =
  | InvalidInput
  | Outage
  | Unauthenticated
  | KeyInUrl
  | Forbidden
  | RateLimited
  | IdempotencyConflict
  | SessionNotFound
  | SessionGone
  | EpochStale
  | LogFull
  | CredentialNotFound
  | AccessFault
  | SessionFault;

const STATUS = {
  INVALID_INPUT: 400,
  UNAUTHENTICATED: 401,
  KEY_IN_URL: 400,
  FORBIDDEN: 403,
  SESSION_NOT_FOUND: 404,
  AGENT_NOT_FOUND: 404,
  CREDENTIAL_NOT_FOUND: 404,
  API_KEY_NOT_FOUND: 404,
  ORGANISATION_NOT_FOUND: 404,
  TURN_NOT_FOUND: 404,
  EVENT_NOT_FOUND: 404,
  SESSION_GONE: 410,
  IDEMPOTENCY_CONFLICT: 409,
  AGENT_NAME_TAKEN: 409,
  ORGANISATION_NAME_TAKEN: 409,
  OLDER_SERVER_RUNS: 409,
  API_KEY_REVOKED: 409,
  LAST_KEY: 409,
  AGENT_IN_USE: 409,
  AGENT_GONE: 410,
  NO_CREDENTIAL: 409,
  EPOCH_STALE: 409,
  TURN_OVER: 409,
  INPUT_PENDING: 409,
  SESSION_ARCHIVED: 409,
  ALREADY_CLAIMED: 409,
  REQUEST_GONE: 409,
  PENDING_FULL: 429,
  RATE_LIMITED: 429,
  LOG_FULL: 409,
  UNAVAILABLE: 503,
} as const satisfies Record<KnownFault['code'], number>;

const BY_CODE: Readonly<Record<string, number>> = STATUS;

/** For the header retry-after, in whole seconds. */
export function retryAfterSeconds({ retryAfterMs = 0 }: Fault): number {
  return Math.max(1, Math.ceil(retryAfterMs / 1000));
}

export function statusOf(fault: Fault): number {
  return BY_CODE[fault.code] ?? 400;
}
