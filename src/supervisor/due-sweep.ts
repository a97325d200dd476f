/**
 * Does what is due for sessions by itself (sessions/due.ts): one look at an index for all of them, and no timer for any. Every server has one;
 * on a shared database they may meet, and whoever is second finds nothing to do.
 *
 * DUE-1 What is due is done once, after a restart and on another server, too: it is found in the store, and decided on the record as it is at
 *    that moment. A session that waits costs its entry in the index.
 */
import { jittered } from '../kernel/backoff.ts';
import { type Chance, systemChance } from '../kernel/chance.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import { Outage } from '../kernel/outage.ts';
import type { Service } from '../kernel/service.ts';
import { isAbsent } from '../journal/absent.ts';
import { LogFull } from '../journal/faults.ts';
import type { Due, DueStore } from '../sessions/due-store.ts';
import type { SessionRuns } from '../sessions/session-runs.ts';

/** Between two looks: timeouts are in seconds, and a look that finds nothing is one step of an index. */
const LOOK_MS = 1_000;
/** Sessions of one page, which share commits; others have the store between two pages. */
const PAGE_MAX = 100;

export interface DueSweepPorts {
  readonly due: DueStore;
  readonly sessions: Pick<SessionRuns, 'supervise'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default: the system's. */
  readonly chance?: Chance | undefined;
}

export class DueSweep implements Service {
  readonly name = 'due';
  readonly #ports: DueSweepPorts;

  constructor(ports: DueSweepPorts) {
    this.#ports = ports;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, chance = systemChance } = this.#ports;
    while (!signal.aborted) {
      await this.round(signal);
      await clock.sleep(jittered(LOOK_MS, chance.random), signal); // servers that start together come apart
    }
  }

  /** Once through all that is due now; what cannot be done stops nothing, and is met again in the next round. */
  async round(signal: AbortSignal): Promise<void> {
    const { due, clock } = this.#ports;
    const until = clock.now();
    let after: Due | undefined;
    while (!signal.aborted) {
      const page = await due.due({ limit: PAGE_MAX, until, after });
      await Promise.all(page.map((one) => this.#do(one, until)));
      if (page.length < PAGE_MAX) return;
      after = page.at(-1);
    }
  }

  /** Throws Outage: then none can be done, and the sweep is started again after a while (kernel/service.ts). */
  async #do({ id: sessionId }: Due, now: number): Promise<void> {
    try {
      await this.#ports.sessions.supervise(sessionId, { kind: 'expireTools', now }); // DUE-1
    } catch (error) {
      if (isAbsent(error) || error instanceof LogFull) return; // there is nothing left that waits
      if (error instanceof Outage) throw error;
      this.#ports.logger.warn('what is due for a session was not done, trying again', { sessionId, error });
    }
  }
}
