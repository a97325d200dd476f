/** The stores that a history can be on. */
import type { Clock } from '../../src/kernel/clock.ts';
import type { Scheduler } from '../../src/kernel/scheduler.ts';
import { openSqlite } from '../../src/platform/sqlite/store.ts';
import type { StorePorts } from './shared-store.ts';

export interface OpenedStore extends StorePorts {
  close(): void | Promise<void>;
}

/** Opens an empty one. */
export type StoreKind = (ports: {
  readonly clock: Clock;
  /** Absent: its own. */
  readonly scheduler: Scheduler | undefined;
}) => Promise<OpenedStore>;

export const onSqlite: StoreKind = async ({ clock, scheduler }) =>
  openSqlite({ path: ':memory:', clock, scheduler });
