/** Which launcher the configuration asks for. */
import { join } from 'node:path';
import type { Logger } from '../kernel/logger.ts';
import { chooseIsolation } from '../platform/local/isolation.ts';
import { LocalLauncher } from '../platform/local/launcher.ts';
import { WorkspaceStore } from '../platform/local/workspace-store.ts';
import type { Launcher } from '../supervisor/launcher.ts';
import type { Config } from './config.ts';

/** Throws IsolationImpossible, with the sentence that mends it. */
export async function createLauncher(
  config: Config,
  ports: { unitSocket: string; logger: Logger },
): Promise<Launcher> {
  const { searchPath, dataFolder } = config;
  const isolation = await chooseIsolation(config.isolation, searchPath);
  if (isolation.kind === 'none') {
    ports.logger.warn('isolation is off: commands of agents run as this user on this machine');
  }
  const workspaces = new WorkspaceStore(join(dataFolder, 'workspaces'));
  return new LocalLauncher({ isolation, workspaces, searchPath, ...ports });
}
