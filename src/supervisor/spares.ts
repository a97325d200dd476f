/**
 * Brains that are started and loaded before anyone needs them, so that a session's first model call waits for no
 * process start. A spare holds no session, no token and no lease; losing one costs nothing.
 */
import type { Chance } from '../kernel/chance.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Service } from '../kernel/service.ts';
import type { Brain, Launcher } from './launcher.ts';
import { RETRY_FIRST_MS, RETRY_LAST_MS, SPARE_DELAY_MS } from './limit.ts';
import { Backoff } from '../kernel/backoff.ts';

const HELD_MS = 5_000;

interface SparesPorts {
  readonly launcher: Launcher;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly chance?: Chance | undefined;
}

export class Spares implements Service {
  readonly name = 'spares';
  readonly #ports: SparesPorts;
  readonly #wanted: number;
  readonly #ready: Brain[] = [];
  #wake: () => void = () => undefined;

  constructor(ports: SparesPorts, wanted: number) {
    this.#ports = ports;
    this.#wanted = wanted;
  }

  /** A brain that waits for its session: a spare when there is one, else a new one. */
  async take(): Promise<Brain> {
    const spare = this.#ready.shift();
    this.#wake();
    return spare ?? this.#ports.launcher.launchBrain();
  }

  /** Keeps the pool full until told to stop; then stops the spares. */
  async run(signal: AbortSignal): Promise<void> {
    const { launcher, clock, logger, chance } = this.#ports;
    const pace = { firstMs: RETRY_FIRST_MS, ceilingMs: RETRY_LAST_MS, heldMs: HELD_MS };
    const backoff = new Backoff({ ...pace, random: chance?.random });
    while (!signal.aborted) {
      if (this.#ready.length >= this.#wanted) {
        await this.#changed(signal);
        await clock.sleep(SPARE_DELAY_MS, signal);
        continue;
      }
      try {
        this.#keep(await launcher.launchBrain());
        backoff.reset();
      } catch (error) {
        const waitMs = backoff.nextMs(0);
        logger.warn('spare brain did not start', { waitMs, error });
        await clock.sleep(waitMs, signal);
      }
    }
    await Promise.all(this.#ready.splice(0).map((brain) => brain.stop()));
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
