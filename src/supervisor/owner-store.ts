/**
 * The port for supervisors' heartbeats. A lease names its owner; it is valid while the owner lives (owners.ts), so ten thousand
 * leases cost one write per beat, not one each. Contract: test/contracts/owner-store.ts.
 */
export interface Heartbeat {
  readonly owner: string;
  /** Another number after each beat. It counts and tells no time: clocks of machines disagree. */
  readonly beats: number;
}

export interface OwnerStore {
  /** Says that `owner` lives: its number becomes another one. A beat that was carried out twice does no harm. */
  beat(owner: string): Promise<void>;
  /** Of those that have not retired, by name. */
  heartbeats(): Promise<readonly Heartbeat[]>;
  /** Forgets an owner: its leases may be taken over at once. One that beats after it is there again. */
  retire(owner: string): Promise<void>;
}
