/**
 * The port for supervisors' heartbeats. A lease names its owner; it is valid while the owner lives (owners.ts), so ten thousand
 * leases cost one write per beat, not one each. Contract: test/contracts/owner-store.ts.
 */
export interface Heartbeat {
  readonly owner: string;
  /** By the owner's own clock, ms since the epoch. */
  readonly expiresAt: number;
}

export interface OwnerStore {
  /** Says that `owner` lives until `expiresAt`. A beat that comes late does not take a later one back. */
  beat(owner: string, expiresAt: number): Promise<void>;
  /** Of those that have not retired and ran out less than a day ago, by name. */
  heartbeats(): Promise<readonly Heartbeat[]>;
  /** Forgets an owner: its leases may be taken over at once. */
  retire(owner: string): Promise<void>;
}
