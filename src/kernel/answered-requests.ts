/**
 * What a thing that lives on (an agent, a credential) remembers of the requests with an idempotency key that have changed it. They are
 * stored with the thing, in the write that does what was asked: so a request that was done is known as such, and it is done once.
 */
import { requestHash } from './request-hash.ts';

/** One of them. */
export interface AnsweredRequest {
  /** Hash of the caller's key. */
  readonly key: string;
  readonly hash: string;
}

/** Of one thing. Who asks again does so within minutes; by then a thing has not been changed this often. */
const REQUESTS_KEPT_MAX = 256;

/** The request that used this key, among those that are remembered. */
export function answeredWith(
  requests: readonly AnsweredRequest[] | undefined,
  key: string | undefined,
): AnsweredRequest | undefined {
  if (key === undefined) return undefined;
  const hash = requestHash({ key });
  return requests?.find((one) => one.key === hash);
}

/** `requests` and one more; without a key there is nothing to remember. */
export function remembered(
  requests: readonly AnsweredRequest[] | undefined,
  key: string | undefined,
  hash: string,
): readonly AnsweredRequest[] | undefined {
  if (key === undefined) return requests;
  return [...(requests ?? []), { key: requestHash({ key }), hash }].slice(-REQUESTS_KEPT_MAX);
}
