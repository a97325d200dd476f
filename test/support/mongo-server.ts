/** `npm run mongo`: a MongoDB server by the ladder of the tests, on a fixed port, that keeps what it is given until the next time. */
import { createServer } from 'node:net';
import { join } from 'node:path';
import { climb, surroundings } from './mongo-ladder.ts';
import { MongoProcess } from './mongo-process.ts';
import { databaseUri } from './mongo-uri.ts';

const PORT_DEFAULT = 27_017;
const FOLDER = join(import.meta.dirname, '../../.cache/mongo');

const say = (line: string): boolean => process.stderr.write(`holdfast: ${line}\n`);

async function serve(): Promise<void> {
  const port = Number(process.env['PORT'] || PORT_DEFAULT);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new Error(`PORT is "${process.env['PORT']}"; expected a number from 1 to 65535.`);
  if (!(await isFree(port))) throw new Error(`Port ${port} is in use: set PORT to another one.`);
  // One of our own, also where MONGODB_URI names another.
  const rung = await climb({ own: true }, surroundings(process.env, say));
  if (rung.kind === 'given') throw new Error('A server of our own is never one that was given.');
  // Each program has its own files.
  const server = await MongoProcess.start(rung, { own: true }, { port, folder: join(FOLDER, rung.kind) });
  const url = databaseUri(server.uri, 'holdfast');
  const kind =
    rung.kind === 'secantus'
      ? ' It stands in for MongoDB, which could not be had: for trying things only.'
      : '';
  process.stdout.write(
    `${server.name} is ready.${kind}\nStop it with Ctrl+C; it keeps its data for port ${port}.\nDATABASE_URL=${url}\n`,
  );
  const asked = new Promise<'asked'>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve('asked'));
  });
  const why = await Promise.race([asked, server.ended.then(() => 'died' as const)]);
  await server.close();
  if (why === 'died') throw new Error(`${server.name} ended by itself.`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

try {
  await serve();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
