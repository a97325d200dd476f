/**
 * A MongoDB server for tests and benches. The tests of a run share one, which the run's keeper (mongo-run.ts) starts when the
 * first of them asks; who kills it or sets fail points gets one of their own. Each handle has databases of its own, and
 * drops them when it is closed. Which server it was is said once per run. Suites say what they need with mongo-suite.ts.
 */
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { MongoClient } from 'mongodb';
import { climb, isOwn, type Needs, NoMongo, surroundings } from './mongo-ladder.ts';
import { MongoProcess } from './mongo-process.ts';
import { databaseUri } from './mongo-uri.ts';

/** Set by the keeper for the workers of its run: a socket that answers with the run's server. */
export const KEEPER = 'HOLDFAST_TEST_MONGO_KEEPER';
const CONNECT_MS_MAX = 10_000;

export interface MongoServer {
  /** `SecantusDB 0.7.0b3 (reports 8.2.11)`: goes beside every figure. */
  readonly name: string;
  readonly isMongod: boolean;
  /** Of a fresh database, unless one is named. Those without a name are dropped by `close`. */
  uri(database?: string): string;
  /** The URI without a database. */
  readonly base: string;
  readonly pid: number | undefined;
  /** SIGKILL; of three members, to the primary. Only for a server of one's own. */
  kill(): Promise<void>;
  /** Starts again what was killed, on the same port and storage. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** What the keeper tells of its server, or why there is none. */
export type Shared =
  | {
      readonly name: string;
      readonly isMongod: boolean;
      readonly base: string;
      readonly pid: number | undefined;
    }
  /** Broken: there is one, but it does not start. Nobody may skip a suite because of that. */
  | { readonly missing: string; readonly isBroken: boolean };

type Present = Exclude<Shared, { missing: string }>;

export type Question = { readonly want: 'shared' } | { readonly ran: string };

/** Throws NoMongo where there is none. */
export async function mongoServer(needs: Needs = {}): Promise<MongoServer> {
  const keeper = process.env[KEEPER];
  if (keeper === undefined || isOwn(needs)) {
    const server = await startServer(needs);
    if (keeper !== undefined) await ask(keeper, { ran: server.name });
    return server;
  }
  const shared = await ask(keeper, { want: 'shared' });
  if ('missing' in shared) throw shared.isBroken ? new Error(shared.missing) : new NoMongo(shared.missing);
  return borrowed(shared);
}

/** A server by the ladder, for this process alone. */
export async function startServer(needs: Needs): Promise<MongoServer> {
  const rung = await climb(needs, surroundings(process.env, say));
  if (rung.kind === 'given') return borrowed(await described(rung.uri));
  return owned(await MongoProcess.start(rung, needs));
}

function owned(server: MongoProcess): MongoServer {
  return {
    name: server.name,
    isMongod: server.isMongod,
    base: server.uri,
    uri: (database) => databaseUri(server.uri, database ?? freshName()),
    get pid() {
      return server.pid;
    },
    kill: () => server.kill(),
    start: () => server.start(),
    close: () => server.close(),
  };
}

function borrowed(shared: Present): MongoServer {
  const fresh: string[] = [];
  const refuse = (): Promise<never> =>
    Promise.reject(new Error('Others use this server: ask for mongoServer({ own: true }).'));
  return {
    name: shared.name,
    isMongod: shared.isMongod,
    base: shared.base,
    uri(database) {
      if (database === undefined) fresh.push(freshName());
      return databaseUri(shared.base, database ?? fresh.at(-1) ?? '');
    },
    pid: shared.pid,
    kill: refuse,
    start: refuse,
    close: () => dropDatabases(shared.base, fresh.splice(0)),
  };
}

async function dropDatabases(uri: string, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  await using client = new MongoClient(uri, { serverSelectionTimeoutMS: CONNECT_MS_MAX });
  for (const name of names) await client.db(name).dropDatabase();
}

/** What answers at a URI that was given. */
async function described(uri: string): Promise<Present> {
  await using client = new MongoClient(uri, { serverSelectionTimeoutMS: CONNECT_MS_MAX });
  const admin = client.db('admin');
  const [{ version }, { setName }] = [
    await admin.command({ buildInfo: 1 }),
    await admin.command({ hello: 1 }),
  ];
  const isMongod = setName !== 'secantus';
  return {
    name: `${isMongod ? `mongod ${version}` : `SecantusDB (reports ${version})`} at MONGODB_URI`,
    isMongod,
    base: uri,
    pid: undefined,
  };
}

async function ask(keeper: string, question: { readonly want: 'shared' }): Promise<Shared>;
async function ask(keeper: string, question: { readonly ran: string }): Promise<unknown>;
async function ask(keeper: string, question: Question): Promise<unknown> {
  const socket = connect(keeper);
  socket.write(`${JSON.stringify(question)}\n`);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return JSON.parse(answer);
}

function freshName(): string {
  return `holdfast_${randomBytes(8).toString('hex')}`;
}

function say(line: string): void {
  process.stderr.write(`holdfast: ${line}\n`);
}
