/** What a server learns from the run folders of those before it on the same data folder. */
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { Scope } from '../../src/kernel/scope.ts';
import { openSqlite, type SqliteStore } from '../../src/platform/sqlite/store.ts';
import { openRunFolder } from '../../src/processes/run-folder.ts';
import { StartRefused } from '../../src/processes/start-refused.ts';
import { Owners } from '../../src/supervisor/owners.ts';

let dataFolder: string;
let store: SqliteStore;
const servers: Server[] = [];

beforeEach(async () => {
  dataFolder = await mkdtemp(join(tmpdir(), 'holdfast-run-'));
  store = openSqlite({ path: ':memory:' });
});

afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  store.close();
  await rm(dataFolder, { recursive: true, force: true });
});

const open = (owner: string, scope = new Scope(), clock: Clock = systemClock) =>
  openRunFolder(
    { dataFolder, owner },
    { owners: new Owners(store.owners, clock), clock, logger: silentLogger },
    scope,
  );
const runs = () => readdir(join(dataFolder, 'run'));
const owners = async () => (await store.owners.heartbeats()).map(({ owner }) => owner);
const beat = (owner: string) => store.owners.beat(owner);

async function listen(path: string): Promise<void> {
  const server = createServer((socket) => socket.destroy());
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(path, resolve));
}

/** As if the server had been started a while ago. */
async function age(owner: string): Promise<void> {
  const past = new Date(Date.now() - 60_000);
  await utimes(join(dataFolder, 'run', owner), past, past);
}

it('takes over at once from a server that was killed on this machine, however fresh its heartbeat is', async () => {
  await open('killed');
  await beat('killed');
  await age('killed');

  await open('next');

  expect(await owners()).toEqual([]);
  expect(await runs()).toEqual(['next']);
});

it('refuses to start beside a server that lives in the same data folder, and leaves it alone', async () => {
  await listen(await open('living'));
  await beat('living');
  await age('living');

  const scope = new Scope();
  await expect(open('second', scope)).rejects.toBeInstanceOf(StartRefused);
  await scope.close();

  expect(await owners()).toEqual(['living']);
  expect(await runs()).toEqual(['living']);
});

it('waits for a server that began to start before it, and is refused once that one listens', async () => {
  const path = await open('a');
  await beat('a');
  const second = open('b');
  const refusal = second.catch((error: unknown) => error);

  await listen(path);

  expect(await refusal).toBeInstanceOf(StartRefused);
});

it('lets one of two that start at once go first, whichever made its folder first', async () => {
  const path = await open('b');
  await listen(await open('a'));

  expect(await runs()).toEqual(['a', 'b']);
  expect(path).toContain('b');
  await expect(open('c')).rejects.toBeInstanceOf(StartRefused);
});

it('removes what is left of a server of another machine once its heartbeat has not changed for long enough', async () => {
  await open('gone');
  await writeFile(join(dataFolder, 'run', 'gone', 'boot'), 'elsewhere\nanother boot');
  await beat('gone');
  const quick = { ...systemClock, monotonicNow: () => 10 * systemClock.monotonicNow() }; // waits are a tenth as long

  await open('next', new Scope(), quick);

  expect(await runs()).toEqual(['next']);
});

it('finds the socket also where the path of the data folder is too long for one', async () => {
  dataFolder = join(dataFolder, 'd'.repeat(100));
  const scope = new Scope();
  const path = await open('living', scope);
  expect(Buffer.byteLength(path)).toBeLessThan(108);
  await listen(path);
  await beat('living');
  await age('living');

  const second = new Scope();
  await expect(open('second', second)).rejects.toBeInstanceOf(StartRefused);
  await second.close();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
  await scope.close();
  expect(await runs()).toEqual([]);
  dataFolder = join(dataFolder, '..');
});
