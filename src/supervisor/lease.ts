/**
 * Says that this supervisor lives. Its leases are valid while it does: others may take them over when the heartbeat is
 * older than LEASE_TTL_MS, or at once after a clean stop.
 */
import type { Clock } from '../kernel/clock.ts';
import { LEASE_TTL_MS } from '../kernel/limit.ts';
import type { Service } from '../kernel/service.ts';
import { BEAT_MS } from './limit.ts';
import type { OwnerStore } from './owner-store.ts';

export class Heartbeat implements Service {
  readonly name = 'heartbeat';
  readonly #ports: { owners: OwnerStore; clock: Clock };
  readonly #owner: string;

  constructor(ports: { owners: OwnerStore; clock: Clock }, owner: string) {
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
      await this.beat();
      await this.#ports.clock.sleep(BEAT_MS, signal);
    }
    await this.#ports.owners.retire(this.#owner);
  }
}
