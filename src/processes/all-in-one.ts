/**
 * `npm start`: everything in one process on one machine. Reads the configuration, starts the control plane, says how
 * to use it, and stops in order at the first SIGINT or SIGTERM; at the second, at once.
 */
import { systemClock } from '../kernel/clock.ts';
import { Fault } from '../kernel/fault.ts';
import { jsonLogger } from '../kernel/logger.ts';
import { visible } from '../kernel/visible.ts';
import { ConfigRefused, EXIT_CONFIG, readConfig } from './config.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import { checkNodeVersion } from './node-version.ts';
import { greeting } from './greeting.ts';
import { keepHeapSmall } from './heap.ts';

async function main(): Promise<void> {
  checkNodeVersion();
  keepHeapSmall(); // HEAP-1
  const config = readConfig(process.env);
  const logger = jsonLogger(config.logLevel, (line) => process.stderr.write(line));
  const controlPlane = await startControlPlane(config, { clock: systemClock, logger });
  process.stdout.write(visible(greeting(config, controlPlane)));
  const signal = await stopSignal();
  logger.info('stopping', { signal });
  await stop(controlPlane, config.stopMs);
  process.kill(process.pid, signal); // the parent sees the truth
}

function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(signal));
  });
}

/** What takes longer is cut off: the journal has everything, and so has the last checkpoint of each workspace. */
async function stop(controlPlane: ControlPlane, stopMs: number): Promise<void> {
  const watchdog = setTimeout(() => process.exit(1), stopMs);
  watchdog.unref();
  await controlPlane.close();
}

main().catch((error: unknown) => {
  const known = error instanceof Fault || error instanceof ConfigRefused;
  const text = known
    ? error.message
    : error instanceof Error
      ? (error.stack ?? error.message)
      : String(error);
  process.stderr.write(visible(`holdfast: ${text}\n`));
  process.exit(error instanceof ConfigRefused ? EXIT_CONFIG : 1);
});
