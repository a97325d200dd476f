/** How the Messages API says no: the type that goes with a status, and the body (platform.claude.com, "Errors"). */
import type { Fields } from './json-value.ts';

const TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  409: 'conflict_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  504: 'timeout_error',
  529: 'overloaded_error',
};

export interface ServiceError {
  readonly type: string;
  readonly message: string;
  /** What some errors say besides, for example `error_code`. */
  readonly details?: Fields | undefined;
}

export function errorTypeOf(status: number): string {
  return TYPES[status] ?? (status >= 500 ? 'api_error' : 'invalid_request_error');
}

export function errorBody({ type, message, details }: ServiceError, requestId: string) {
  const error = { type, message, ...(details === undefined ? {} : { details }) };
  return { type: 'error', error, request_id: requestId };
}
