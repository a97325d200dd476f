/** What a server learns from the run folders of those before it on the same data folder. */
import { mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { Scope } from '../../src/kernel/scope.ts';
import { openSqlite, type SqliteStore } from '../../src/platform/sqlite/store.ts';
import { openRunFolder } from '../../src/processes/run-folder.ts';
import { StartRefused } from '../../src/processes/start-refused.ts';

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

const open = (owner: string, scope = new Scope()) =>
  openRunFolder({ dataFolder, owner }, { owners: store.owners, clock: systemClock }, scope);
const runs = () => readdir(join(dataFolder, 'run'));
const beat = (owner: string) => store.owners.beat(owner, Date.now() + 15_000);

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

  expect(await store.owners.alive(Date.now())).toEqual([]);
  expect(await runs()).toEqual(['next']);
});

it('refuses to start beside a server that lives in the same data folder, and leaves it alone', async () => {
  await listen(await open('living'));
  await beat('living');
  await age('living');

  await expect(open('second')).rejects.toBeInstanceOf(StartRefused);

  expect(await store.owners.alive(Date.now())).toEqual(['living']);
  expect(await runs()).toEqual(['living']);
});

it('waits for a server that is only starting, and is refused once that one listens', async () => {
  const path = await open('starting');
  await beat('starting');
  const second = open('second');
  const refusal = second.catch((error: unknown) => error);

  await listen(path);

  expect(await refusal).toBeInstanceOf(StartRefused);
});

it('removes what is left of a server whose heartbeat has run out', async () => {
  await open('gone');

  await open('next');

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

  await expect(open('second')).rejects.toBeInstanceOf(StartRefused);
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
  await scope.close();
  expect(await runs()).toEqual([]);
  dataFolder = join(dataFolder, '..');
});
