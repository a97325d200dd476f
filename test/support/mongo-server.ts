/** `npm run mongo`: a MongoDB server by the ladder of the tests, on a fixed port, that keeps what it is given until the next time. */
import { join } from 'node:path';
import { climb, surroundings } from './mongo-ladder.ts';
import { MongoProcess } from './mongo-process.ts';
import { databaseUri } from './mongo-uri.ts';

const PORT_DEFAULT = 27_017;
const FOLDER = join(import.meta.dirname, '../../.cache/mongo');

const say = (line: string): boolean => process.stderr.write(`holdfast: ${line}\n`);

async function serve(): Promise<void> {
  const port = Number(process.env['PORT'] ?? PORT_DEFAULT);
  // One of our own, also where MONGODB_URI names another.
  const rung = await climb({ own: true }, surroundings(process.env, say));
  if (rung.kind === 'given') throw new Error('A server of our own is never one that was given.');
  // Each program has its own files.
  const server = await MongoProcess.start(rung, { own: true }, { port, folder: join(FOLDER, rung.kind) });
  const url = databaseUri(server.uri, 'holdfast');
  process.stdout.write(`${server.name} is ready. Stop it with Ctrl+C.\nDATABASE_URL=${url}\n`);
  const asked = new Promise<'asked'>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve('asked'));
  });
  const why = await Promise.race([asked, server.ended.then(() => 'died' as const)]);
  await server.close();
  if (why === 'died') throw new Error(`${server.name} ended by itself.`);
}

try {
  await serve();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
