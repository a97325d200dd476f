/**
 * The port for finding sessions for which something is due (due.ts). Stores keep the time beside the record, in the write that changes it, in an
 * index that only such sessions are in. Contract: test/contracts/due-store.ts.
 */
import type { SessionId } from '../kernel/id.ts';

export interface Due {
  readonly id: SessionId;
  readonly dueAt: number;
}

export interface DuePage {
  readonly limit: number;
  /** Only what is due then or before. */
  readonly until: number;
  /** Behind this one, in the order of the answer. */
  readonly after?: Due | undefined;
}

export interface DueStore {
  /** Of all organisations, what is due first before, and then by id. */
  due(page: DuePage): Promise<readonly Due[]>;
}
