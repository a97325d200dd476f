/**
 * The composition root of one machine: opens the parts, starts what runs sessions, then opens the outer door. Each thing is
 * released in the reverse order of its start, so that doors close before what they lead to.
 */
import { isSafeKey } from '../access/root-key.ts';
import { AuditExport } from '../api/audit-export.ts';
import { createGraphqlDoor } from '../api/graphql/graphql-door.ts';
import { listen } from '../api/http-server.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import { Scope } from '../kernel/scope.ts';
import type { Config } from './config.ts';
import { Outage } from '../kernel/outage.ts';
import { filesAdvice, openFilesLimit, shareOpenFiles } from './open-files.ts';
import { openParts, type Parts } from './parts.ts';
import { startDueSweep } from './due.ts';
import { startRetention } from './retention.ts';
import { StartRefused } from './start-refused.ts';
import { SPARES_KEPT } from '../supervisor/limit.ts';
import { startUnits, type Units } from './units.ts';

export interface ControlPlane {
  /** Where the outer door is, for example http://127.0.0.1:4000. */
  readonly url: string;
  /** Where the sessions are kept, for people. */
  readonly place: string;
  /** The API key that was made at this start, the first one. */
  readonly firstKey: string | undefined;
  /** What is to be said about HOLDFAST_ROOT_KEY, when it makes no key (KEY-4). */
  readonly keyAdvice: string | undefined;
  close(): Promise<void>;
}

/** Throws a Fault that says what to do; what was opened until then is released. */
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
  const { port, host, graphiql, origins, rootKey } = config;
  const parts = await openParts(config, ports, scope);
  const files = shareOpenFiles(openFilesLimit(), config.slotsMax + config.spares + SPARES_KEPT);
  const { connectionsMax, socketsMax } = files;
  const units = await startUnits(config, parts, files, scope);
  startRetention(parts, scope);
  startDueSweep(parts, scope);
  const graphql = createGraphqlDoor(parts, { console: graphiql, origins, socketsMax });
  const { logger } = ports;
  logger.info('open files', { ...files });
  const advice = filesAdvice(files);
  if (advice !== undefined) logger.warn(advice);
  const door = await listen(
    { graphql, auditExport: new AuditExport(parts), logger, ready: () => ready(parts, units) },
    { port, host, connectionsMax },
  ).catch((cause: NodeJS.ErrnoException) => {
    throw explain(cause, { port, host });
  });
  scope.add('outer door', door, (it) => it.close()); // ends the graphql door too
  // Last, since a key that was made is shown once: not in a start that fails.
  let keyAdvice: string | undefined;
  const firstKey = await parts.access.ensureKey(
    rootKey?.open(),
    (sentence) => {
      keyAdvice = sentence;
      logger.warn(sentence);
    },
    ({ id, organisationId, name, scopes }) => {
      const target = { kind: 'apiKey', id } as const;
      return parts.audit.system({
        organisationId,
        action: 'server.keyMade',
        target,
        after: { name, scopes },
      });
    },
  );
  if (rootKey !== undefined && !isSafeKey(rootKey.open())) {
    logger.warn(
      'HOLDFAST_ROOT_KEY is short and can be guessed: take a longer one before others can reach this server',
    );
  }
  return { url: urlOf(host, door.port), place: parts.place, firstKey, keyAdvice, close: () => scope.close() };
}

/** Throws Outage when this server cannot take work. */
async function ready(parts: Parts, units: Units): Promise<void> {
  await parts.ready();
  await units.checkRoom();
  if (units.isAlive()) return;
  throw new Outage('NO_HEARTBEAT', 'The store has not taken a sign of life of this server for some time.');
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

function urlOf(host: string, port: number): string {
  const shown = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `http://${shown.includes(':') ? `[${shown}]` : shown}:${port}`;
}
