/**
 * One connected MongoDB database that holds Holdfast's data.
 *
 * MONGO-1 When open() returns, the server is fit (7.0 or newer, a replica set or a sharded cluster, one that takes writes) and
 *    the database is at the newest schema; any number of servers may open it at once (schema.ts).
 * MONGO-2 Otherwise it throws DatabaseUnusable with a sentence that says what to do, and holds no connection. A database of
 *    something else, or of a newer Holdfast, is left as it is.
 * MONGO-3 Whatever the URI says, writes are acknowledged by a majority that has them on disk, and reads see only such writes.
 * MONGO-4 User and password are in no message and no log line.
 */
import { type Db, type DbOptions, type Document, MongoClient, ReadConcern } from 'mongodb';
import { type Clock, systemClock } from '../../kernel/clock.ts';
import { type Logger, silentLogger } from '../../kernel/logger.ts';
import { patchDriver } from './driver-patch.ts';
import type { OrganisationId } from '../../kernel/id.ts';
import { DatabaseUnusable } from './faults.ts';
import { firstOrganisationOf } from './first-organisation.ts';
import { STEPS, type Step } from './migrations.ts';
import { migrate } from './schema.ts';
import { translateOpenError } from './translate-error.ts';
import { addressOf, databaseNameOf, isGiven, withoutSecrets } from './uri.ts';

export interface MongoDatabaseOptions {
  /** mongodb://… or mongodb+srv://…; its path is the database's name, `holdfast` when there is none. */
  readonly uri: string;
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
  /** Others only in tests. */
  readonly steps?: readonly Step[] | undefined;
}

/** Which server it is, for logs and tables. */
export interface MongoServer {
  /** Hosts and database, without user and password. */
  readonly address: string;
  readonly version: string;
  /** Undefined behind mongos. */
  readonly setName: string | undefined;
}

/** The adapter uses what mongod documents since this version. */
const VERSION_LEAST = 7;
/**
 * A member that can be written to is waited for this long. Most elections are over by then, so that an operation outlives
 * them; and who mistyped an address gets a sentence before they give up. The URI may say otherwise.
 */
const SELECTION_MS_MAX = 10_000;
/** A server that is there accepts a connection at once, also over an ocean; TLS included. */
const CONNECT_MS_MAX = 5_000;
/**
 * No answer to a command for this long: the connection is taken for dead. Waits of cursors are shorter; an index that takes
 * longer to build goes on in the server, and its step asks again.
 */
const SOCKET_MS_MAX = 20_000;
/** An operation that got no connection for this long fails: the pool is as large as it gets and nothing comes back. */
const POOL_WAIT_MS_MAX = 30_000;
/**
 * A majority that lives has a write within a second; what it does not have by then is an outage, and no connection waits for it.
 * The URI may say otherwise.
 */
const MAJORITY_MS_MAX = 10_000;
/** A connection that a busy moment brought and nobody has needed since is given back. */
const IDLE_MS_MAX = 60_000;

export class MongoDatabase {
  readonly client: MongoClient;
  readonly db: Db;
  readonly server: MongoServer;
  /** Whose documents say of none that they are (ownership.ts). */
  readonly firstOrganisation: OrganisationId;

  private constructor(client: MongoClient, db: Db, server: MongoServer, firstOrganisation: OrganisationId) {
    this.client = client;
    this.db = db;
    this.server = server;
    this.firstOrganisation = firstOrganisation;
  }

  /** Throws DatabaseUnusable. */
  static async open({
    uri,
    logger = silentLogger,
    clock = systemClock,
    steps = STEPS,
  }: MongoDatabaseOptions): Promise<MongoDatabase> {
    const client = clientOf(uri);
    const name = databaseNameOf(uri, client.options.dbName);
    const address = addressOf(client.options, name);
    try {
      logger.info('opening the database', { address });
      await client.connect();
      const server = await fitServer(client.db('admin'), address); // MONGO-1
      const db = client.db(name, durably(client));
      await migrate({ db, address, steps, clock, logger });
      const firstOrganisation = await firstOrganisationOf(db);
      logger.info('the database is open', { ...server });
      return new MongoDatabase(client, db, server, firstOrganisation);
    } catch (error) {
      await client.close();
      throw translateOpenError(address, error); // MONGO-2
    }
  }

  async close(): Promise<void> {
    await this.client.close();
  }
}

/** MONGO-3: what the client says is mixed with what the URI says; what a database says counts alone, in its collections and GridFS too. */
function durably({ options }: MongoClient): DbOptions {
  const wtimeoutMS = options.writeConcern?.wtimeoutMS ?? MAJORITY_MS_MAX;
  return {
    writeConcern: { w: 'majority', journal: true, wtimeoutMS },
    readConcern: new ReadConcern('majority'),
    readPreference: 'primary',
  };
}

function clientOf(uri: string): MongoClient {
  patchDriver();
  const wait = <T extends string>(name: T, ms: number) => (isGiven(uri, name) ? {} : { [name]: ms });
  try {
    return new MongoClient(uri, {
      appName: 'holdfast',
      readPreference: 'primary', // also of the member that is connected to first
      retryReads: true,
      retryWrites: true,
      ignoreUndefined: true,
      ...wait('serverSelectionTimeoutMS', SELECTION_MS_MAX),
      ...wait('connectTimeoutMS', CONNECT_MS_MAX),
      ...wait('socketTimeoutMS', SOCKET_MS_MAX),
      ...wait('waitQueueTimeoutMS', POOL_WAIT_MS_MAX),
      ...wait('maxIdleTimeMS', IDLE_MS_MAX),
    });
  } catch (error) {
    // MONGO-4: no cause, since it may quote the URI.
    const said = withoutSecrets(uri, error instanceof Error ? error.message : String(error));
    throw new DatabaseUnusable(
      undefined,
      `DATABASE_URL is not a URI that the MongoDB driver takes${said === undefined ? '' : ` (${said})`}. ` +
        'It looks like mongodb://user:password@host:27017/holdfast; write special characters of the password as %XX.',
    );
  }
}

/** MONGO-1: asked before anything is written. */
async function fitServer(admin: Db, address: string): Promise<MongoServer> {
  const hello: Document = await admin.command({ hello: 1 });
  const { version }: Document = await admin.command({ buildInfo: 1 });
  if (Number.parseInt(version, 10) < VERSION_LEAST) {
    throw new DatabaseUnusable(
      address,
      `${address} is MongoDB ${version}; Holdfast needs ${VERSION_LEAST}.0 or newer. Bring the server to a newer version.`,
    );
  }
  const { setName } = hello;
  if (setName === undefined && hello['msg'] !== 'isdbgrid') {
    throw new DatabaseUnusable(
      address,
      `${address} is a standalone server; Holdfast needs a replica set, of one member at least. ` +
        'Start mongod with --replSet rs0, then run rs.initiate() once in mongosh.',
    );
  }
  if (hello['isWritablePrimary'] !== true) {
    throw new DatabaseUnusable(
      address,
      `${address} is a member of the replica set "${setName}" that is not its primary. ` +
        'Name the set instead of one member: take directConnection out of DATABASE_URL, or add replicaSet.',
    );
  }
  return { address, version, setName };
}
