/**
 * The composition root of one machine: opens the store, builds the use cases over it, opens the doors, starts what runs.
 * Each thing is released in the reverse order of its start, so that doors close before what they lead to.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Access } from '../access/access.ts';
import { createGraphqlDoor } from '../api/graphql/graphql-door.ts';
import { listen as listenHttp } from '../api/http-server.ts';
import { createUnitDoor } from '../api/unit/unit-door.ts';
import { Live } from '../journal/live.ts';
import type { Clock } from '../kernel/clock.ts';
import { Fault } from '../kernel/fault.ts';
import { derivedId } from '../kernel/id.ts';
import type { Logger } from '../kernel/logger.ts';
import { Scope } from '../kernel/scope.ts';
import { Sealed } from '../kernel/sealed.ts';
import { startServices } from '../kernel/service.ts';
import { openSecretFiles } from '../platform/local/secret-store.ts';
import { openSqlite } from '../platform/sqlite/store.ts';
import { Credentials } from '../secrets/credentials.ts';
import type { SecretStore } from '../secrets/secret-store.ts';
import { Agents } from '../sessions/agents.ts';
import { Sessions } from '../sessions/sessions.ts';
import { Heartbeat } from '../supervisor/lease.ts';
import { Spares } from '../supervisor/spares.ts';
import { Supervisor } from '../supervisor/supervisor.ts';
import { Workbench } from '../supervisor/workbench.ts';
import type { Config } from './config.ts';
import { createLauncher } from './launcher.ts';
import { createModelDoor } from './model-door.ts';

export interface ControlPlane {
  /** Where the outer door is, for example http://127.0.0.1:4000. */
  readonly url: string;
  /** The API key that was made at this start, the first one. */
  readonly firstKey: string | undefined;
  close(): Promise<void>;
}

/** The data folder or the port cannot be used; the message says what to do. */
export class StartRefused extends Fault {
  readonly code = 'START_REFUSED';
}

const SIGNING_KEY = 'token-signing-key';
const SIGNING_KEY_BYTES = 32;

export async function startControlPlane(
  config: Config,
  ports: { clock: Clock; logger: Logger },
): Promise<ControlPlane> {
  const scope = new Scope();
  try {
    return await start(config, ports, scope);
  } catch (error) {
    await scope.close();
    throw error;
  }
}

async function start(
  config: Config,
  ports: { clock: Clock; logger: Logger },
  scope: Scope,
): Promise<ControlPlane> {
  const { clock, logger } = ports;
  const { dataFolder } = config;
  await makeFolder(dataFolder);
  const store = scope.add('store', openSqlite({ path: config.database.path, clock }), (it) => it.close());
  const { journal } = store;
  const secrets = await openSecretFiles(join(dataFolder, 'secrets'), join(dataFolder, 'keys', 'master.key'));

  const access = new Access({ keys: store.keys, clock, signingKey: await signingKey(secrets) });
  const firstKey = await access.ensureKey(config.rootKey?.open());
  const credentials = new Credentials({ credentials: store.credentials, secrets, clock });
  const agents = new Agents({ agents: store.agents, credentials, clock });
  const serverKey = config.anthropic.key;
  const sessions = new Sessions({
    journal,
    sessions: store.sessions,
    agents,
    credentials,
    clock,
    serverKey: serverKey !== undefined,
  });
  const live = scope.add('live', new Live({ journal, logger }), (it) => it.close());

  const socketFolder = scope.add('socket folder', await mkdtemp(join(tmpdir(), 'holdfast-')), (it) =>
    rm(it, { recursive: true, force: true }),
  );
  const unitSocket = join(socketFolder, 'unit.sock');
  const launcher = await createLauncher(config, { unitSocket, logger });
  const spares = new Spares({ launcher, clock, logger }, config.spares);
  const workbench = scope.add('workbench', new Workbench({ launcher, logger }), (it) => it.close());

  const model = await createModelDoor(config, { sessions, credentials, serverKey, logger }, scope);
  const unitDoor = createUnitDoor({
    access,
    sessions,
    agents,
    journal,
    live,
    logger,
    tools: workbench,
    model,
  });
  scope.add('unit door', await listenOn(unitDoor, unitSocket), closeServer);

  // The database is held by this process alone, so every other owner is dead: its sessions go on at once (ADR 0005).
  const owner = derivedId('session', randomBytes(8).toString('hex')).slice(4, 16);
  for (const dead of await store.owners.alive(clock.now())) await store.owners.retire(dead);
  const heartbeat = new Heartbeat({ owners: store.owners, clock }, owner);
  await heartbeat.beat();
  const supervisor = new Supervisor({
    sessions,
    journal,
    store: store.sessions,
    owners: store.owners,
    access,
    spares,
    workbench,
    clock,
    logger,
    owner,
    idleMs: config.idleMs,
    slotsMax: config.slotsMax,
  });
  scope.add('services', startServices([heartbeat, spares, supervisor], ports), (stop) => stop());

  const graphql = createGraphqlDoor(
    { access, agents, credentials, sessions, journal, live, logger },
    { console: config.graphiql },
  );
  const ready = async (): Promise<boolean> => (await store.owners.alive(clock.now())).includes(owner);
  const { port, host } = config;
  const outer = await listenHttp({ graphql, logger, ready }, { port, host }).catch(
    (cause: NodeJS.ErrnoException) => {
      throw explain(cause, { port, host });
    },
  );
  scope.add('outer door', outer, (it) => it.close()); // ends the graphql door too
  return { url: urlOf(host, outer.port), firstKey, close: () => scope.close() };
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new StartRefused(
      `the data folder ${folder} cannot be made or written (${String(cause)}): set HOLDFAST_DATA to a folder that this user may write.`,
      { cause },
    );
  }
}

async function signingKey(secrets: SecretStore): Promise<Buffer> {
  const known = await secrets.get(SIGNING_KEY);
  if (known !== undefined) return Buffer.from(known.open(), 'base64');
  const made = randomBytes(SIGNING_KEY_BYTES);
  await secrets.put(SIGNING_KEY, new Sealed(made.toString('base64')));
  return made;
}

function listenOn(server: Server, path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve(server));
  });
}

/** What a person can do about an address that cannot be listened on. */
function explain(cause: NodeJS.ErrnoException, { port, host }: { port: number; host: string }): Error {
  const what: Readonly<Record<string, string>> = {
    EADDRINUSE: `port ${port} is in use: stop what listens there, or set PORT to another one (PORT=0 takes a free one).`,
    EACCES: `port ${port} may not be opened by this user: set PORT to one above 1023.`,
    EADDRNOTAVAIL: `${host} is not an address of this machine: set HOST to one that is, or leave it out.`,
    ENOTFOUND: `${host} is not an address: set HOST to one, or leave it out.`,
  };
  return new StartRefused(what[cause.code ?? ''] ?? `cannot listen on ${host}:${port} (${cause.message}).`, {
    cause,
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function urlOf(host: string, port: number): string {
  const shown = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `http://${shown.includes(':') ? `[${shown}]` : shown}:${port}`;
}
