/** What runs sessions: the unit door, the model gateway, the supervisor with its spares, and the hands. */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createUnitDoor } from '../api/unit/unit-door.ts';
import type { Scope } from '../kernel/scope.ts';
import { startServices } from '../kernel/service.ts';
import { Heartbeat } from '../supervisor/lease.ts';
import { Spares } from '../supervisor/spares.ts';
import { Supervisor } from '../supervisor/supervisor.ts';
import { Workbench } from '../supervisor/workbench.ts';
import type { Config } from './config.ts';
import { createLauncher } from './launcher.ts';
import { createModelDoor } from './model-door.ts';
import type { Parts } from './parts.ts';

const OWNER_BYTES = 6;
const SOCKET = 'unit.sock';
/** sun_path of unix(7) has 108 bytes with its end. */
const SOCKET_PATH_BYTES_MAX = 107;

export interface Units {
  /** Whether this server's heartbeat is in the store: the store answers, and sessions are kept. */
  isAlive(): Promise<boolean>;
}

/** Throws IsolationImpossible. */
export async function startUnits(config: Config, parts: Parts, scope: Scope): Promise<Units> {
  const { clock, logger, access, owners, sessions, journal, credentials } = parts;
  const unitSocket = join(await socketFolder(config.dataFolder, scope), SOCKET);
  const launcher = await createLauncher(config, { unitSocket, logger });
  const spares = new Spares({ launcher, clock, logger }, config.spares);
  const workbench = scope.add('workbench', new Workbench({ launcher, logger }), (it) => it.close());
  const serverKey = config.anthropic.key;
  const model = await createModelDoor(config, { sessions, credentials, serverKey, logger }, scope);
  const unitDoor = createUnitDoor({ ...parts, tools: workbench, model });
  scope.add('unit door', await listenOn(unitDoor, unitSocket), closeServer);

  // The database is held by this process alone, so every other owner is dead: its sessions go on at once (ADR 0005).
  const owner = randomBytes(OWNER_BYTES).toString('hex');
  for (const dead of await owners.alive(clock.now())) await owners.retire(dead);
  const heartbeat = new Heartbeat({ owners, clock }, owner);
  await heartbeat.beat();
  const { idleMs, slotsMax } = config;
  const ports = { clock, logger, sessions, journal, store: parts.store, owners, access, spares, workbench };
  const supervisor = new Supervisor({ ...ports, launcher, owner, idleMs, slotsMax });
  scope.add('services', startServices([heartbeat, spares, supervisor], parts), (stop) => stop());
  return { isAlive: async () => (await owners.alive(clock.now())).includes(owner) };
}

/**
 * For the socket: a folder that is closed to all other users. In the data folder, which this process alone uses, so that
 * a crash leaves nothing behind; elsewhere only when that path is too long for a socket.
 */
async function socketFolder(dataFolder: string, scope: Scope): Promise<string> {
  const own = join(dataFolder, 'run');
  if (Buffer.byteLength(join(own, SOCKET)) <= SOCKET_PATH_BYTES_MAX) {
    await rm(own, { recursive: true, force: true }); // of a server that was killed
    await mkdir(own, { mode: 0o700 });
    return own;
  }
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-'));
  return scope.add('socket folder', folder, (it) => rm(it, { recursive: true, force: true }));
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
