/** Which launcher the configuration asks for. */
import type { Logger } from '../kernel/logger.ts';
import type { Scope } from '../kernel/scope.ts';
import { openLocalLauncher } from '../platform/local/launcher.ts';
import type { Launcher } from '../supervisor/launcher.ts';
import type { Config } from './config.ts';

export async function createLauncher(
  config: Config,
  ports: { unitSocket: string; logger: Logger },
  scope: Scope,
): Promise<Launcher> {
  const { isolation, dataFolder } = config;
  if (isolation === 'none') {
    ports.logger.warn('isolation is off: commands of agents run as this user on this machine', { isolation });
  }
  return scope.add('launcher', await openLocalLauncher({ isolation, dataFolder, ...ports }), (it) => it.close());
}
