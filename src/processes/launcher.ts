/** Which launcher the configuration asks for. */
import { join } from 'node:path';
import type { Clock } from '../kernel/clock.ts';
import type { SessionId } from '../kernel/id.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Service } from '../kernel/service.ts';
import { Checkpoints } from '../platform/local/workspace/checkpoints.ts';
import { chooseIsolation } from '../platform/local/isolation/isolation.ts';
import type { Bubblewrap } from '../platform/local/isolation/jail.ts';
import { guardControlPlane } from '../platform/local/isolation/oom-score.ts';
import { LocalLauncher } from '../platform/local/launcher/launcher.ts';
import { WorkspaceStore } from '../platform/host/workspace/workspace-store.ts';
import { launchMark } from '../platform/local/isolation/orphans.ts';
import type { SessionStore } from '../sessions/session-store.ts';
import type { Launcher } from '../supervisor/launcher.ts';
import { logPlaceOf } from '../supervisor/log-place.ts';
import type { LogPlace, WorkspaceArchive } from '../hands/workspace-archive.ts';
import type { Config } from './config.ts';

export interface ChosenLauncher {
  readonly launcher: Launcher;
  /** What it needs to have running. */
  readonly services: readonly Service[];
}

/** Throws IsolationImpossible, with the sentence that mends it. */
export async function createLauncher(
  config: Config,
  {
    owner,
    archive,
    store,
    ...ports
  }: {
    owner: string;
    unitSocket: string;
    archive: WorkspaceArchive | undefined;
    store: SessionStore;
    clock: Clock;
    logger: Logger;
  },
): Promise<ChosenLauncher> {
  const { searchPath, dataFolder } = config;
  const isLast = guardControlPlane(); // before anything is launched that would inherit it
  if (!isLast) ports.logger.debug('this server has no say in whom the kernel ends when memory runs out');
  const isolation = await chooseIsolation(config.isolation, launchMark(owner), searchPath);
  if (isolation.kind === 'none') {
    ports.logger.warn('isolation is off: commands of agents run as this user on this machine');
  } else tellLimits(isolation, ports.logger);
  const workspaces = new WorkspaceStore(join(dataFolder, 'workspaces'));
  if (archive === undefined) {
    return { launcher: new LocalLauncher({ isolation, workspaces, searchPath, ...ports }), services: [] };
  }
  const placeOf = async (sessionId: SessionId): Promise<LogPlace | undefined> => {
    const entry = await store.get(sessionId);
    return entry === undefined ? undefined : logPlaceOf(entry);
  };
  const checkpoints = new Checkpoints({ archive, workspaces, placeOf, ...ports });
  const launcher = new LocalLauncher({ isolation, workspaces, checkpoints, searchPath, ...ports });
  return { launcher, services: [checkpoints] };
}

/** What holds for sessions as a whole on this machine (docs/isolation.md), and what to do for the rest. */
function tellLimits({ groups, groupsMissing }: Bubblewrap, logger: Logger): void {
  const inForce = groups?.controllers ?? [];
  if (groupsMissing === undefined) return logger.info('sessions are limited as a whole', { inForce });
  logger.warn(
    'sessions are not limited as a whole in everything: run this server as root or give it a control group of its own (systemd: Delegate=yes)',
    { inForce, missing: groupsMissing },
  );
}
