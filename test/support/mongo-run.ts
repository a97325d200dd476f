/**
 * The keeper of a test run's MongoDB server (vitest's globalSetup): it starts the server when the first test asks for it, so
 * that runs without MongoDB pay nothing, says which one it is, and ends it after the run.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { MongoClient } from 'mongodb';
import { NoMongo } from './mongo-ladder.ts';
import { KEEPER, type MongoServer, type Question, type Shared, startServer } from './mongo.ts';

/** Far beyond what the busiest of machines takes. */
const ANSWER_MS_MAX = 30_000;

export async function setup(): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-keeper-'));
  const said = new Set<string>();
  const sayOnce = (line: string): void => {
    if (!said.has(line)) process.stdout.write(`MongoDB suites: ${line}\n`);
    said.add(line);
  };
  let server: Promise<MongoServer> | undefined;
  const keeper = createServer((socket) => {
    socket.on('error', () => undefined); // a worker that ended while it waited has no use for the answer
    createInterface({ input: socket }).once('line', (line) => {
      const question = JSON.parse(line) as Question; // as: only mongo.ts asks here
      if ('want' in question) server = servingOr(server, sayOnce);
      const answer = 'want' in question ? told(server, sayOnce) : Promise.resolve(sayOnce(question.ran));
      void answer.then((it) => end(socket, it));
    });
  });
  const path = join(folder, 'keeper.sock');
  await new Promise<void>((resolve) => keeper.listen(path, resolve));
  process.env[KEEPER] = path;
  return async () => {
    keeper.close();
    await server?.then(
      (it) => it.close(),
      () => undefined, // it never started, and whoever asked was told
    );
    rmSync(folder, { recursive: true, force: true });
  };
}

/** A server that does not answer any more holds up the tests that use it, and no others: the next one to ask has a new one. */
async function servingOr(
  server: Promise<MongoServer> | undefined,
  sayOnce: (line: string) => void,
): Promise<MongoServer> {
  const there = await server;
  if (there === undefined) return startServer({});
  if (there.pid === undefined || (await answers(there))) return there; // without a pid: somebody gave it
  sayOnce(`${there.name} has stopped answering; another one is started`);
  await there.kill();
  return startServer({});
}

/** Whether it does some work, not only takes connections. */
async function answers({ base }: MongoServer): Promise<boolean> {
  try {
    const options = { serverSelectionTimeoutMS: ANSWER_MS_MAX, socketTimeoutMS: ANSWER_MS_MAX };
    await using client = new MongoClient(base, options);
    await client.db('admin').admin().listDatabases();
    return true;
  } catch {
    return false;
  }
}

async function told(
  server: Promise<MongoServer> | undefined,
  sayOnce: (line: string) => void,
): Promise<Shared> {
  try {
    const it = await server;
    if (it === undefined) throw new Error('Nobody asked for a server.');
    sayOnce(it.name);
    return { name: it.name, isMongod: it.isMongod, base: it.base, pid: it.pid };
  } catch (error) {
    const missing = error instanceof Error ? error.message : String(error);
    sayOnce(`none. ${missing}`);
    return { missing, isBroken: !(error instanceof NoMongo) };
  }
}

function end(socket: Socket, answer: unknown): void {
  socket.end(`${JSON.stringify(answer ?? null)}\n`);
}
