/**
 * Says that this supervisor lives. Its leases are valid while it does: others may take them over when the heartbeat is
 * older than LEASE_TTL_MS, or at once after a clean stop.
 */
import type { Clock } from '../kernel/clock.ts';
import { LEASE_TTL_MS } from '../kernel/limit.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Service } from '../kernel/service.ts';
import { BEAT_MS } from './limit.ts';
import type { Owners } from './owners.ts';

/** After a beat that failed. */
const AGAIN_MS = 1_000;

export class Heartbeat implements Service {
  readonly name = 'heartbeat';
  readonly #ports: { owners: Owners; clock: Clock; logger: Logger };
  readonly #owner: string;

  constructor(ports: { owners: Owners; clock: Clock; logger: Logger }, owner: string) {
    this.#ports = ports;
    this.#owner = owner;
  }

  /** Beats once; done before the first lease is taken. */
  async beat(): Promise<void> {
    const { owners, clock } = this.#ports;
    await owners.beat(this.#owner, clock.now() + LEASE_TTL_MS);
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#ports.clock.sleep((await this.#hasBeaten()) ? BEAT_MS : AGAIN_MS, signal);
    }
    await this.#ports.owners.retire(this.#owner);
  }

  /** A beat that fails is tried again soon: others count this owner as dead after LEASE_TTL_MS. */
  async #hasBeaten(): Promise<boolean> {
    try {
      await this.beat();
      return true;
    } catch (error) {
      this.#ports.logger.warn('no heartbeat, trying again', { error });
      return false;
    }
  }
}
