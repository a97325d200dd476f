/**
 * The port for revoked client tokens: one number per session and per API key, 0 until the first revocation and one more with each. A token
 * carries the numbers of when it was minted, and ends when one of them is greater now. Numbers and not times, since the clocks of servers
 * differ. There are at most as many as there are sessions and keys; that of a session stays
 * when it is deleted, as its tombstone does, so that no token which was revoked is good again. Contract: test/contracts/token-generation-store.ts.
 */
import type { ApiKeyId, OrganisationId, SessionId } from '../kernel/id.ts';

/** Whose tokens are meant: of a session, or those that a key has minted. */
export type TokenSubject = SessionId | ApiKeyId;

export interface TokenGenerationStore {
  /** One number for each that is asked for, in that order. Visible to every server from when `raise` has answered. */
  generationsOf(subjects: readonly TokenSubject[]): Promise<readonly number[]>;
  /** Durable when it answers. */
  raise(organisationId: OrganisationId, subject: TokenSubject): Promise<void>;
}
