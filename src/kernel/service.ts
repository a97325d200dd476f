/**
 * A Service is background work with an owner. `run` returns when `signal` aborts (or its work is done), and only
 * after everything it started has ended. `supervise` keeps one running: a run that throws is started again after a
 * backoff whose log level rises with the wait.
 */
import type { Chance } from './chance.ts';
import type { Clock } from './clock.ts';
import { Backoff, type BackoffOptions } from './backoff.ts';
import type { Logger } from './logger.ts';

export interface Service {
  readonly name: string;
  run(signal: AbortSignal): Promise<void>;
}

const BACKOFF: BackoffOptions = { firstMs: 100, ceilingMs: 30_000, heldMs: 5_000 };

interface ServicePorts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly chance?: Chance | undefined;
}

/** Runs `service` until `signal` aborts or a run returns; never rejects. */
export async function supervise(service: Service, ports: ServicePorts, signal: AbortSignal): Promise<void> {
  const backoff = new Backoff({ ...BACKOFF, random: ports.chance?.random });
  while (!signal.aborted) {
    const startedAt = ports.clock.monotonicNow();
    try {
      await service.run(signal);
      return;
    } catch (error) {
      if (signal.aborted) return;
      const waitMs = backoff.nextMs(ports.clock.monotonicNow() - startedAt);
      const level = backoff.attempt > 3 ? 'error' : 'warn';
      ports.logger[level]('service failed, starting it again', { service: service.name, waitMs, error });
      await ports.clock.sleep(waitMs, signal);
    }
  }
}

/** Starts services together; the returned function stops them and waits for all. */
export function startServices(services: readonly Service[], ports: ServicePorts): () => Promise<void> {
  const abort = new AbortController();
  const running = services.map((service) => supervise(service, ports, abort.signal));
  return async () => {
    abort.abort();
    await Promise.all(running);
  };
}
