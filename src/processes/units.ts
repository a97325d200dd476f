/** What runs sessions: the unit endpoint, the model gateway, the supervisor with its spares, and the hands. */
import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import { availableParallelism } from 'node:os';
import { boundConnections } from '../api/connections.ts';
import { createUnitDoor } from '../api/unit/unit-endpoint.ts';
import type { SessionId } from '../kernel/id.ts';
import type { Scope } from '../kernel/scope.ts';
import { startServices } from '../kernel/service.ts';
import { Heartbeat } from '../supervisor/lease.ts';
import { Spares } from '../supervisor/spares.ts';
import { Supervisor } from '../supervisor/supervisor.ts';
import { Workbench } from '../supervisor/workbench.ts';
import { WorkspaceLog } from '../supervisor/workspace-log.ts';
import type { Config } from './config.ts';
import { DiskFloor } from './disk-floor.ts';
import { createLauncher } from './launcher.ts';
import { launchMark } from '../platform/local/isolation/orphans.ts';
import { enterServerGroup } from '../platform/local/isolation/server-group.ts';
import { createModelDoor } from './model-door.ts';
import type { OpenFileShares } from './open-files.ts';
import type { Parts } from './parts.ts';
import { openRunFolder } from './run-folder.ts';

const OWNER_BYTES = 6;

export interface Units {
  /** Whether this server's heartbeat is kept up: the store takes it, and its sessions are its own. */
  isAlive(): boolean;
  /** Throws Outage when there is no room for work on this machine. */
  checkRoom(): Promise<void>;
}

/** Throws IsolationImpossible. */
export async function startUnits(
  config: Config,
  parts: Parts,
  { unitConnectionsMax: connectionsMax }: OpenFileShares,
  scope: Scope,
): Promise<Units> {
  const { clock, logger, access, owners, runs: sessions, useCasesOf, journal, live, prices, shared } = parts;
  const { organisations } = parts;
  const owner = randomBytes(OWNER_BYTES).toString('hex');
  // A database that this process alone holds has no other owner that lives: its sessions go on at once (ADR 0005).
  if (shared === undefined) for (const dead of await owners.alive()) await owners.retire(dead);
  const heartbeat = new Heartbeat({ owners, clock, logger }, owner);
  await heartbeat.beat();
  // Ends after everything else: others may take the sessions over from then on.
  scope.add('heartbeat', startServices([heartbeat], parts), (stop) => stop());
  const { dataFolder } = config;
  const unitSocket = await openRunFolder({ dataFolder, owner }, { owners, clock, logger }, scope);
  const archive = shared?.archiveFor(owner, owners);
  if (config.isolation === 'bubblewrap')
    scope.add('server group', enterServerGroup(launchMark(owner), clock), (leave) => leave?.()); // CGROUP-4
  const { launcher, services } = await createLauncher(config, {
    owner,
    unitSocket,
    archive,
    store: parts.store,
    clock,
    logger,
  });
  const startsMax = Math.max(1, availableParallelism() - 1); // a core is left for the server and for whoever runs
  const spares = new Spares({ launcher, clock, logger, startsMax }, config.spares);
  const log = new WorkspaceLog({ sessions, journal, owner });
  const workbench = scope.add('workbench', new Workbench({ launcher, log, clock, logger }), (it) =>
    it.close(),
  );
  const model = await createModelDoor(config, { sessions, useCasesOf, prices, clock, logger }, scope);
  const unitEndpoint = createUnitDoor({
    ...parts,
    sessions,
    tools: workbench,
    model,
    contextWindows: config.contextWindows,
  });
  boundConnections(unitEndpoint, { connectionsMax, logger, door: 'unit endpoint' });
  scope.add('unit endpoint', await listenOn(unitEndpoint, unitSocket), closeServer);

  const { idleMs, backgroundMs, slotsMax } = config;
  const { store, deletions } = parts;
  const ports = { clock, logger, sessions, journal, store, deletions, owners, access, spares, workbench };
  const draftOf = (sessionId: SessionId, callId: string) => live.messageOf(sessionId, callId);
  const floor = new DiskFloor(dataFolder, logger);
  const hasRoom = (): Promise<boolean> => floor.hasRoom();
  const isShared = async (): Promise<boolean> => (await organisations.list({ limit: 2 })).length > 1;
  const limits = { idleMs, backgroundMs, slotsMax, hasRoom, isShared };
  const supervisor = new Supervisor({ ...ports, launcher, owner, ...limits, draftOf });
  scope.add('services', startServices([spares, supervisor, ...services], parts), (stop) => stop());
  return { isAlive: () => owners.isBeating, checkRoom: () => floor.check() };
}

function listenOn(server: Server, path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve(server));
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
