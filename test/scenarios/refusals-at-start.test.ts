/** What can be wrong when the server starts: one sentence that says what to do, a non-zero exit, nothing half-written. */
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { MongoClient } from 'mongodb';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { mongoSuite } from '../support/mongo-suite.ts';
import { World } from '../support/world.ts';

const ENTRY = join(import.meta.dirname, '../../src/processes/all-in-one.ts');
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-refusal-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Runs the server, which must end by itself. */
async function start(env: Record<string, string>): Promise<{ code: number | null; said: string }> {
  const server = spawn(process.execPath, [ENTRY], {
    env: { PATH: process.env.PATH ?? '', HOLDFAST_DATA: folder, PORT: '0', HOLDFAST_LOG: 'error', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  server.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const code = await new Promise<number | null>((resolve) => server.once('close', resolve));
  return { code, said };
}

function oneSentence(said: string, ...words: readonly string[]): void {
  expect(said.trim().split('\n')).toHaveLength(1);
  for (const word of words) expect(said).toContain(word);
  expect(said).not.toContain('    at ');
}

it('a port in use', async () => {
  const other: Server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
  const { port } = other.address() as { port: number };
  const { code, said } = await start({ PORT: String(port) });
  other.close();

  expect(code).toBe(1);
  oneSentence(said, `port ${port} is in use`, 'PORT');
});

it.each([
  ['is not there', undefined, 'cannot be read'],
  ['is not JSON', 'prices', 'expected JSON'],
  ['has a slip', '{"anthropic/claude-x":[{"from":"2026-11-01","inptu":1}]}', 'got "inptu"'],
])('a file of prices that %s', async (_, text, said) => {
  const file = join(folder, 'prices.json');
  if (text !== undefined) await writeFile(file, text);
  const { code, said: told } = await start({ HOLDFAST_PRICES: file });

  expect(code).toBe(1);
  oneSentence(told, `HOLDFAST_PRICES=${file}`, said, 'docs/models.md');
});

it('a first start that fails shows no API key; the next one does', async () => {
  const other: Server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
  const { port } = other.address() as { port: number };
  await start({ PORT: String(port) });
  other.close();
  const world = await World.open({ HOLDFAST_DATA: folder, HOLDFAST_ROOT_KEY: '' }, 'sqlite'); // as start() has it
  const key = /API key: (hf_\S+)/.exec(world.output)?.[1];
  await expect(world.graphql('{ sessions { nodes { id } } }', {}, key)).resolves.toEqual({
    sessions: { nodes: [] },
  });
  await world.close();
});

it('a data folder that cannot be written', async () => {
  await writeFile(join(folder, 'file'), '');
  const { code, said } = await start({ HOLDFAST_DATA: join(folder, 'file', 'data') });

  expect(code).toBe(1);
  oneSentence(said, 'HOLDFAST_DATA');
});

it('a database of a newer version', async () => {
  const path = join(folder, 'holdfast.db');
  const newer = new DatabaseSync(path);
  newer.exec('PRAGMA user_version = 9999');
  newer.close();
  const { code, said } = await start({});

  expect(code).toBe(1);
  oneSentence(said, 'newer');
});

it('a data folder that another server uses', async () => {
  const world = await World.open();
  const { code, said } = await start({ HOLDFAST_DATA: join(world.folder, 'data'), ...world.store });
  await world.close();

  expect(code).toBe(1);
  oneSentence(said, 'Another Holdfast server', 'data folder of its own');
});

it('a key file that others may read', async () => {
  const world = await World.open();
  await world.stop();
  const keyFile = join(world.folder, 'data', 'keys', 'master.key');
  await chmod(keyFile, 0o644);
  const { code, said } = await start({ HOLDFAST_DATA: join(world.folder, 'data'), ...world.store });
  await world.close();

  expect(code).toBe(1);
  oneSentence(said, `chmod 600 ${keyFile}`);
});

it('a configuration with several mistakes names all of them', async () => {
  const { code, said } = await start({ PORT: 'x', HOLDFAST_ISOLATION: 'y' });

  expect(code).toBe(78);
  expect(said).toContain('PORT: expected');
  expect(said).toContain('HOLDFAST_ISOLATION: expected');
});

await mongoSuite('on MongoDB', (server) => {
  it('a second server in the data folder of one that lives, or one with other secrets; the first one goes on', async () => {
    const uri = server.uri();
    const world = await World.open({ DATABASE_URL: uri, HOLDFAST_DATA: folder }, 'sqlite');
    const own = join(folder, 'other');

    const sameFolder = await start({ DATABASE_URL: uri, HOLDFAST_DATA: folder });
    const otherSecrets = await start({ DATABASE_URL: uri, HOLDFAST_DATA: own });

    expect([sameFolder.code, otherSecrets.code]).toEqual([1, 1]);
    oneSentence(sameFolder.said, folder, 'HOLDFAST_DATA');
    oneSentence(otherSecrets.said, own, 'HOLDFAST_SECRETS');
    await expect(world.graphql('{ sessions { nodes { id } } }')).resolves.toBeDefined();
    await world.close();
  });

  it('a data folder that belongs to another database', async () => {
    const world = await World.open({ DATABASE_URL: server.uri(), HOLDFAST_DATA: folder }, 'sqlite');
    await world.close();

    const { code, said } = await start({ DATABASE_URL: server.uri() });

    expect(code).toBe(1);
    oneSentence(said, folder, 'DATABASE_URL', 'HOLDFAST_DATA');
  });

  it('a server that does not answer, and a password that is wrong is in no sentence', async () => {
    const { code, said } = await start({
      DATABASE_URL: 'mongodb://someone:hush-hush@127.0.0.1:1/holdfast?serverSelectionTimeoutMS=300',
    });

    expect(code).toBe(1);
    oneSentence(said, 'No MongoDB server answers at', '127.0.0.1:1/holdfast', 'DATABASE_URL');
    expect(said).not.toContain('hush-hush');
  });

  it('a database of something else, which is left as it is', async () => {
    const uri = server.uri();
    await using client = new MongoClient(uri);
    await client.db().collection('orders').insertOne({ total: 1 });

    const { code, said } = await start({ DATABASE_URL: uri });

    expect(code).toBe(1);
    oneSentence(said, 'belongs to something else', 'DATABASE_URL');
    const names = (await client.db().listCollections().toArray()).map(({ name }) => name);
    expect(names).toEqual(['orders']);
  });

  it('a database of a newer Holdfast, which is left as it is', async () => {
    const uri = server.uri();
    await using client = new MongoClient(uri);
    const schema = { _id: 'schema', version: 999 };
    await client.db().collection<typeof schema>('holdfast').insertOne(schema);

    const { code, said } = await start({ DATABASE_URL: uri });

    expect(code).toBe(1);
    oneSentence(said, 'newer Holdfast', '999');
    expect(await client.db().collection('holdfast').find().toArray()).toEqual([schema]);
  });
});
