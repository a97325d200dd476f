/**
 * Says that this supervisor lives. Its leases are valid while it does: others may take them over when they have seen no beat for
 * LEASE_TTL_MS (owners.ts), or at once after a clean stop.
 */
import { jittered } from '../kernel/backoff.ts';
import { type Chance, systemChance } from '../kernel/chance.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Service } from '../kernel/service.ts';
import { BEAT_MS } from './limit.ts';
import type { Owners } from './owners.ts';

/** After a beat that failed. */
const AGAIN_MS = 1_000;

interface HeartbeatPorts {
  readonly owners: Owners;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly chance?: Chance | undefined;
}

export class Heartbeat implements Service {
  readonly name = 'heartbeat';
  readonly #ports: HeartbeatPorts;
  readonly #owner: string;

  constructor(ports: HeartbeatPorts, owner: string) {
    this.#ports = ports;
    this.#owner = owner;
  }

  /** Beats once; done before the first lease is taken. */
  beat(): Promise<void> {
    return this.#ports.owners.beat(this.#owner);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { owners, clock, chance = systemChance } = this.#ports;
    while (!signal.aborted) {
      const hasBeaten = await this.#hasBeaten();
      await clock.sleep(hasBeaten ? BEAT_MS : jittered(AGAIN_MS, chance.random), signal);
    }
    await owners.retire(this.#owner);
  }

  /** A beat that fails is tried again soon: others count this owner as dead after LEASE_TTL_MS. */
  async #hasBeaten(): Promise<boolean> {
    try {
      await this.beat();
      await this.#ports.owners.sweep();
      return true;
    } catch (error) {
      this.#ports.logger.warn('no heartbeat, trying again', { error });
      return false;
    }
  }
}
