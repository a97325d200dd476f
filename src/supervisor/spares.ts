/**
 * Brains that are started and loaded before anyone needs them, so that a session's first model call waits for no
 * process start. A spare holds no session, no token and no lease; losing one costs nothing.
 *
 * ADMIT-5 A spare is not for an organisation that has sessions in the queue, or that waits for another brain: it is there for who comes anew. Brains
 *    that have to be started come up STARTS_MAX_DEFAULT at a time (or as the machine has cores), and go round the organisations.
 */
import type { Chance } from '../kernel/chance.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Service } from '../kernel/service.ts';
import { Backoff } from '../kernel/backoff.ts';
import type { OrganisationId } from '../kernel/id.ts';
import { BrainStarts } from './brain-starts.ts';
import type { Brain, Launcher } from './launcher.ts';
import { RETRY_FIRST_MS, RETRY_LAST_MS, SPARE_DELAY_MS, STARTS_MAX_DEFAULT } from './limit.ts';

const HELD_MS = 5_000;

interface SparesPorts {
  readonly launcher: Launcher;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly chance?: Chance | undefined;
  /** Brains that come up at the same time. */
  readonly startsMax?: number | undefined;
}

/** For whom a brain is wanted. */
export interface BrainWish {
  readonly organisationId: OrganisationId;
  /** Others of its sessions wait for a slot. */
  readonly isCrowded: boolean;
}

/** Who waits for a start when the pool is filled: no organisation has this name. */
const POOL = '';

export class Spares implements Service {
  readonly name = 'spares';
  readonly #ports: SparesPorts;
  readonly #wanted: number;
  readonly #ready: Brain[] = [];
  readonly #starts: BrainStarts;
  /** How many of each organisation wait for a brain. */
  readonly #waiting = new Map<OrganisationId, number>();
  #wake: () => void = () => undefined;

  constructor(ports: SparesPorts, wanted: number) {
    this.#ports = ports;
    this.#wanted = wanted;
    this.#starts = new BrainStarts(ports.launcher, ports.startsMax ?? STARTS_MAX_DEFAULT);
  }

  /** A brain that waits for its session: a spare when there is one for it, else a new one. Rejects with LaunchFailed, also on `signal`. */
  async take({ organisationId, isCrowded }: BrainWish, signal: AbortSignal): Promise<Brain> {
    const waits = this.#waiting.get(organisationId) ?? 0;
    const spare = isCrowded || waits > 0 ? undefined : this.#takeReady(); // ADMIT-5
    if (spare !== undefined) return spare;
    this.#waiting.set(organisationId, waits + 1);
    try {
      const ready = (): Brain | undefined => (isCrowded ? undefined : this.#takeReady());
      return await this.#starts.start(organisationId, signal, ready);
    } finally {
      const left = (this.#waiting.get(organisationId) ?? 1) - 1;
      if (left === 0) this.#waiting.delete(organisationId);
      else this.#waiting.set(organisationId, left);
    }
  }

  /** Keeps the pool full until told to stop; then stops the spares. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger, chance } = this.#ports;
    const pace = { firstMs: RETRY_FIRST_MS, ceilingMs: RETRY_LAST_MS, heldMs: HELD_MS };
    const backoff = new Backoff({ ...pace, random: chance?.random });
    while (!signal.aborted) {
      if (this.#ready.length >= this.#wanted) {
        await this.#changed(signal);
        await clock.sleep(SPARE_DELAY_MS, signal);
        continue;
      }
      try {
        this.#keep(await this.#starts.start(POOL, signal));
        backoff.reset();
      } catch (error) {
        if (signal.aborted) break;
        const waitMs = backoff.nextMs(0);
        logger.warn('spare brain did not start', { waitMs, error });
        await clock.sleep(waitMs, signal);
      }
    }
    await Promise.all(this.#ready.splice(0).map((brain) => brain.stop()));
  }

  #takeReady(): Brain | undefined {
    const spare = this.#ready.shift();
    this.#wake();
    return spare;
  }

  #keep(brain: Brain): void {
    this.#ready.push(brain);
    void brain.ended.then(() => {
      const at = this.#ready.indexOf(brain);
      if (at >= 0) this.#ready.splice(at, 1);
      this.#wake();
    });
  }

  #changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#wake = done;
      signal.addEventListener('abort', done, { once: true });
      if (signal.aborted) done();
    });
  }
}
