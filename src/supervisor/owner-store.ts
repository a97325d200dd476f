/**
 * The port for supervisors' heartbeats. A lease names its owner; it is valid while the owner's heartbeat is, so ten
 * thousand leases cost one write per beat, not one each. Contract: test/contracts/owner-store.ts.
 */
export interface OwnerStore {
  /** Says that `owner` lives until `expiresAt` (ms since the epoch). */
  beat(owner: string, expiresAt: number): Promise<void>;
  /** Owners whose heartbeat has not expired at `now`. */
  alive(now: number): Promise<readonly string[]>;
  /** Forgets an owner: its leases may be taken over at once. */
  retire(owner: string): Promise<void>;
}
