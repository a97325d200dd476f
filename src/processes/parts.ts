/** The parts that decide and remember, over the store that the configuration names. They run nothing. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Access } from '../access/access.ts';
import { Organisations } from '../access/organisations.ts';
import { AuditLog } from '../audit/audit-log.ts';
import type { GraphqlPorts } from '../api/graphql/options.ts';
import { Live } from '../journal/live.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Scope } from '../kernel/scope.ts';
import { Sealed } from '../kernel/sealed.ts';
import type { Prices } from '../models/prices.ts';
import { AjvToolSchemas } from '../platform/ajv/tool-schemas.ts';
import { openSecretFiles } from '../platform/local/secret-store.ts';
import { providers } from '../secrets/provider-table.ts';
import type { SecretStore } from '../secrets/secret-store.ts';
import type { DeletionStore } from '../sessions/deletion-store.ts';
import type { DueStore } from '../sessions/due-store.ts';
import type { RetentionStore } from '../sessions/retention-store.ts';
import type { SessionStore } from '../sessions/session-store.ts';
import { SessionRuns } from '../sessions/session-runs.ts';
import { useCasesOver } from '../sessions/use-cases.ts';
import { Owners } from '../supervisor/owners.ts';
import type { Config } from './config.ts';
import { readPrices } from './own-prices.ts';
import { StartRefused } from './start-refused.ts';
import { openStore, type SharedStore } from './store.ts';

export interface Parts extends GraphqlPorts {
  readonly clock: Clock;
  readonly store: SessionStore;
  readonly deletions: DeletionStore;
  readonly retention: RetentionStore;
  readonly due: DueStore;
  readonly runs: SessionRuns;
  readonly organisations: Organisations;
  readonly owners: Owners;
  readonly prices: Prices;
  readonly shared: SharedStore | undefined;
  /** Throws Outage when nothing can be written. */
  ready(): Promise<void>;
  /** Where the store is, for people. */
  readonly place: string;
}

const SIGNING_KEY = 'token-signing-key';
const SIGNING_KEY_BYTES = 32;

/** Throws StartRefused, DatabaseInUse, DatabaseUnusable, KeyFileRefused. */
export async function openParts(
  config: Config,
  { clock, logger }: { clock: Clock; logger: Logger },
  scope: Scope,
): Promise<Parts> {
  const { dataFolder, secretsFolder } = config;
  await makeFolder(dataFolder);
  const store = await openStore(config.database, { clock, logger }, scope);
  const { journal, shared } = store;
  const owners = new Owners(store.owners, clock);
  const secrets = await openSecretFiles(
    join(secretsFolder, 'secrets'),
    join(secretsFolder, 'keys', 'master.key'),
  );
  const key = await signingKey(secrets);
  if (shared !== undefined) {
    await refuseOtherSecrets(shared, key, secretsFolder);
    await refuseOtherDatabase(shared, dataFolder);
  }
  const { first: firstOrganisation } = store.organisations;
  const access = new Access({ ...store, clock, signingKey: key, firstOrganisation });
  const serverKeys = new Set(providers().filter((provider) => config.providers[provider].key !== undefined));
  const prices = await readPrices(config.pricesFile);
  const isPriced = (model: string): boolean => prices.find([model], clock.now()) !== undefined;
  const toolSchemas = new AjvToolSchemas();
  const useCasesOf = useCasesOver({
    ...store,
    secrets,
    clock,
    serverKeys,
    firstOrganisation,
    isPriced,
    toolSchemas,
  });
  const live = scope.add('live', new Live({ journal, wire: shared?.wire, logger }), (it) => it.close());
  return {
    clock,
    logger,
    access,
    organisations: new Organisations({ organisations: store.organisations, clock }),
    useCasesOf,
    audit: new AuditLog({ audit: store.audit, clock }),
    runs: new SessionRuns(store),
    journal,
    live,
    store: store.sessions,
    deletions: store.deletions,
    retention: store.retention,
    due: store.due,
    owners,
    prices,
    shared,
    ready: () => store.ready(),
    place: store.place,
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

/** Tokens stay valid over restarts, and on every server that has the same secrets: their key is made once. */
async function signingKey(secrets: SecretStore): Promise<Buffer> {
  const known = await secrets.get(SIGNING_KEY);
  if (known !== undefined) return Buffer.from(known.open(), 'base64');
  await secrets.create(SIGNING_KEY, new Sealed(randomBytes(SIGNING_KEY_BYTES).toString('base64')));
  return signingKey(secrets); // another server may have been first
}

/**
 * The workspaces in a data folder are copies of what one database knows, and those that it does not know are removed: with another
 * database, by a slip in DATABASE_URL, that would be all of them.
 */
async function refuseOtherDatabase({ identity }: SharedStore, dataFolder: string): Promise<void> {
  const file = join(dataFolder, 'database');
  const known = await readFile(file, 'utf8').catch(() => '');
  if (known === '') return writeFile(file, identity); // also one whose writing was cut
  if (known === identity) return;
  throw new StartRefused(
    `The data folder ${dataFolder} belongs to another database than the one that DATABASE_URL names: mend DATABASE_URL, or set HOLDFAST_DATA to a folder for this database.`,
  );
}

/** Servers on one database need the same secrets: the keys of models, and the key that tokens are signed with. */
async function refuseOtherSecrets(shared: SharedStore, key: Buffer, folder: string): Promise<void> {
  const fingerprint = createHash('sha256').update('holdfast secrets').update(key).digest('hex');
  if (await shared.ownsSecrets(fingerprint)) return;
  throw new StartRefused(
    `${folder} holds other secrets than the server that set up this database: set HOLDFAST_SECRETS to the folder of that one, ` +
      'which all servers on one database share, or name a new database in DATABASE_URL.',
  );
}
