/** The stores that a history can be on. */
import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import type { Scheduler } from '../../src/kernel/scheduler.ts';
import { openMongo } from '../../src/platform/mongo/store.ts';
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
  readonly caps: { readonly eventsMax: number };
}) => Promise<OpenedStore>;

export const onSqlite: StoreKind = async (ports) => openSqlite({ path: ':memory:', ...ports });

/** Its waits are real, since what it waits for is: only for histories in which time stands still meanwhile. `uri` is of a fresh database. */
export function onMongo(uri: () => string): StoreKind {
  return ({ clock, caps }) =>
    openMongo({ uri: uri(), clock: { ...systemClock, now: () => clock.now() }, caps });
}
