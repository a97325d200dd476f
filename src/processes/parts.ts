/** The parts that decide and remember, over the store that the configuration names. They run nothing. */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Access } from '../access/access.ts';
import type { GraphqlPorts } from '../api/graphql/options.ts';
import { Live } from '../journal/live.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Scope } from '../kernel/scope.ts';
import { Sealed } from '../kernel/sealed.ts';
import { openSecretFiles } from '../platform/local/secret-store.ts';
import { openSqlite } from '../platform/sqlite/store.ts';
import { Credentials } from '../secrets/credentials.ts';
import type { SecretStore } from '../secrets/secret-store.ts';
import { Agents } from '../sessions/agents.ts';
import type { SessionStore } from '../sessions/session-store.ts';
import { Sessions } from '../sessions/sessions.ts';
import type { OwnerStore } from '../supervisor/owner-store.ts';
import type { Config } from './config.ts';
import { StartRefused } from './start-refused.ts';

export interface Parts extends GraphqlPorts {
  readonly clock: Clock;
  readonly store: SessionStore;
  readonly owners: OwnerStore;
}

const SIGNING_KEY = 'token-signing-key';
const SIGNING_KEY_BYTES = 32;

/** Throws StartRefused, DatabaseInUse, DatabaseUnusable, KeyFileRefused. */
export async function openParts(
  config: Config,
  { clock, logger }: { clock: Clock; logger: Logger },
  scope: Scope,
): Promise<Parts> {
  const { dataFolder, anthropic } = config;
  await makeFolder(dataFolder);
  const store = scope.add('store', openSqlite({ path: config.database.path, clock }), (it) => it.close());
  const { journal, owners } = store;
  const secrets = await openSecretFiles(join(dataFolder, 'secrets'), join(dataFolder, 'keys', 'master.key'));
  const access = new Access({ keys: store.keys, clock, signingKey: await signingKey(secrets) });
  const credentials = new Credentials({ credentials: store.credentials, secrets, clock });
  const agents = new Agents({ agents: store.agents, credentials, clock });
  const serverKey = anthropic.key !== undefined;
  const sessions = new Sessions({ journal, sessions: store.sessions, agents, credentials, clock, serverKey });
  const live = scope.add('live', new Live({ journal, logger }), (it) => it.close());
  return {
    clock,
    logger,
    access,
    agents,
    credentials,
    sessions,
    journal,
    live,
    store: store.sessions,
    owners,
  };
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

/** Tokens stay valid over restarts: their key is made once. */
async function signingKey(secrets: SecretStore): Promise<Buffer> {
  const known = await secrets.get(SIGNING_KEY);
  if (known !== undefined) return Buffer.from(known.open(), 'base64');
  const made = randomBytes(SIGNING_KEY_BYTES);
  await secrets.put(SIGNING_KEY, new Sealed(made.toString('base64')));
  return made;
}
