/**
 * What of an error may be seen outside. Errors in the document are shown without what was sent (wording.ts); a Fault is shown with its
 * code, an Outage also with when to try again; anything else is a defect: INTERNAL and a request id outside, the cause in the log.
 */
import {
  type ExecutionResult,
  GraphQLError,
  type GraphQLErrorExtensions,
  type GraphQLFormattedError,
} from 'graphql';
import { Fault } from '../../kernel/fault.ts';
import { Outage } from '../../kernel/outage.ts';
import { retryAfterSeconds, statusOf } from '../fault-table.ts';
import type { Logger } from '../../kernel/logger.ts';
import { OutgoingFull } from './outgoing.ts';
import { wordingOf } from './wording.ts';

export interface Masking {
  readonly requestId: string;
  readonly logger: Logger;
}

/** An error of our own words: they may be shown. */
class Shown extends GraphQLError {}

/** The error as it may be shown. */
export function masked(error: unknown, { requestId, logger }: Masking): GraphQLError {
  if (error instanceof Shown) return error;
  const graphqlError = error instanceof GraphQLError ? error : undefined;
  const cause = graphqlError === undefined ? error : rootCause(graphqlError);
  const place = { nodes: graphqlError?.nodes, source: graphqlError?.source, path: graphqlError?.path };
  if (cause instanceof Outage) {
    const { code, message, retryAfterMs } = cause;
    if (!(cause instanceof OutgoingFull))
      logger.error('graphql operation failed', { requestId, path: graphqlError?.path, error: cause });
    const http = { status: statusOf(cause), headers: { 'retry-after': String(retryAfterSeconds(cause)) } };
    return new Shown(message, { ...place, extensions: { code, retryAfterMs, requestId, http } });
  }
  if (cause instanceof Fault) return new Shown(cause.message, { ...place, extensions: { code: cause.code } });
  if (graphqlError !== undefined && cause === undefined) return own(graphqlError);
  logger.error('graphql operation failed', { requestId, path: graphqlError?.path, error: cause });
  const message = `Something failed on our side. Tell your operator the request id ${requestId}.`;
  return new Shown(message, { ...place, extensions: { code: 'INTERNAL', requestId } });
}

/** An error of graphql-js or yoga, without what was sent (ECHO-1): their extensions may hold that too. `codeElse`: where it has none. */
export function own(error: GraphQLError, codeElse = 'BAD_USER_INPUT'): GraphQLError {
  if (error instanceof Shown) return error;
  const { nodes, source, positions, path } = error;
  const { code: given, http } = error.extensions;
  const code = typeof given === 'string' ? given : codeElse;
  const cause = rootCause(error);
  const message = cause instanceof Fault ? cause.message : wordingOf(error, code);
  const extensions = { code, ...(http === undefined ? {} : { http }) };
  return new Shown(message, { nodes, source, positions, path, extensions });
}

/** A result whose errors are masked. */
export function maskedResult<R extends ExecutionResult>(result: R, masking: Masking): R {
  if (result.errors === undefined) return result;
  return { ...result, errors: result.errors.map((error) => masked(error, masking)) };
}

/** A refusal of the whole request: over HTTP it decides the status. */
export function refusal(code: string, message: string, status: number, retryAfterMs?: number): GraphQLError {
  if (retryAfterMs === undefined) return shown(message, { code, http: { status } });
  const headers = { 'retry-after': String(Math.ceil(retryAfterMs / 1_000)) };
  return shown(message, { code, retryAfterMs, http: { status, headers } });
}

/** Without a stack, as a Fault (FAULT-1). */
function shown(message: string, extensions: GraphQLErrorExtensions): Shown {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  const error = new Shown(message, { extensions });
  Error.stackTraceLimit = stackTraceLimit;
  return error;
}

/** As it goes over a wire that has no status. */
export function formatted(error: GraphQLError): GraphQLFormattedError {
  const { extensions, ...rest } = error.toJSON();
  return { ...rest, extensions: { ...extensions, http: undefined } };
}

/** What was thrown inside: undefined when the error is GraphQL's own. */
function rootCause(error: GraphQLError): unknown {
  const inner: unknown = error.cause ?? error.originalError;
  return inner instanceof GraphQLError ? rootCause(inner) : inner;
}
