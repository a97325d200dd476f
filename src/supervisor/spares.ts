/**
 * Brains that are started and loaded before anyone needs them, so that a session's first model call waits for no
 * process start. A spare holds no session, no token and no lease; losing one costs nothing.
 *
 * ADMIT-5 A spare is not for an organisation that has sessions in the queue, or that waits for another brain; and where organisations share the
 *    server there are SPARES_KEPT more, which are for those that have nothing running. So whoever comes anew finds one, whatever the others do. Brains that
 *    have to be started come up so many at a time, and go round the organisations.
 */
import type { Chance } from '../kernel/chance.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Service } from '../kernel/service.ts';
import { Backoff } from '../kernel/backoff.ts';
import type { OrganisationId } from '../kernel/id.ts';
import { BrainStarts } from './brain-starts.ts';
import type { Brain, Launcher } from './launcher.ts';
import { RETRY_FIRST_MS, RETRY_LAST_MS, SPARE_DELAY_MS, SPARES_KEPT, STARTS_MAX_DEFAULT } from './limit.ts';

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
  /** `first`: it has nothing else running here; `crowd`: others of its sessions wait for a slot. */
  readonly standing: 'first' | 'another' | 'crowd';
}

/** Who waits for a start when the pool is filled: no organisation has this name. */
const POOL = '';

export class Spares implements Service {
  readonly name = 'spares';
  readonly #ports: SparesPorts;
  #wanted: number;
  /** Of the spares, those that are for who has nothing running. */
  #kept = 0;
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
  async take({ organisationId, standing }: BrainWish, signal: AbortSignal): Promise<Brain> {
    const waits = this.#waiting.get(organisationId) ?? 0;
    const spare = waits > 0 ? undefined : this.#takeReady(standing);
    if (spare !== undefined) return spare;
    this.#waiting.set(organisationId, waits + 1);
    try {
      return await this.#starts.start(organisationId, signal, () => this.#takeReady(standing));
    } finally {
      const left = (this.#waiting.get(organisationId) ?? 1) - 1;
      if (left === 0) this.#waiting.delete(organisationId);
      else this.#waiting.set(organisationId, left);
    }
  }

  /** There are several organisations: some more are kept, unless the deployment wants none. */
  share(): void {
    if (this.#kept > 0 || this.#wanted === 0) return;
    this.#kept = SPARES_KEPT;
    this.#wanted += SPARES_KEPT;
    this.#wake();
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

  /** ADMIT-5 */
  #takeReady(standing: BrainWish['standing']): Brain | undefined {
    const left = { first: 0, another: this.#kept, crowd: Infinity }[standing];
    const spare = this.#ready.length > left ? this.#ready.shift() : undefined;
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
