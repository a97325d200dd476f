/**
 * A session is deleted on a real server: while it runs, with its files and commands; with the server killed at every step of erasing it; and
 * on another server than the one that runs it. Nothing of it is left anywhere but its tombstone.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { MongoClient } from 'mongodb';
import { afterEach, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { mongoSuite } from '../support/mongo-suite.ts';
import { isAlive } from '../support/processes.ts';
import { onEachStore } from '../support/stores.ts';
import { World } from '../support/world.ts';

const SCRIPTS = { HOLDFAST_REHEARSAL: `${import.meta.dirname}/scripts`, HOLDFAST_IDLE_SECONDS: '1' };
/** In all that the user of the session says. */
const MARK = 'MARK-of-a-session-that-is-deleted';
const LOG = 'events { id seq type turnId body } cursor';

async function deleteSession(world: World, id: string): Promise<Record<string, unknown>> {
  const query = `mutation ($id: ID!) { deleteSession(sessionId: $id) {
    __typename ... on DeleteSessionPayload { id replayed } ... on Fault { code message } } }`;
  return (await world.graphql(query, { id })).deleteSession;
}
const gone = async (world: World, id: string) =>
  expect(await world.session(id)).toMatchObject({ __typename: 'SessionGone', code: 'SESSION_GONE' });

/** Of SQLite: rows that no session has; of MongoDB: documents beside the tombstone that name the session. */
async function leftOf(world: World, id: string): Promise<number> {
  const { DATABASE_URL: url } = world.store;
  if (url === undefined) {
    const database = new DatabaseSync(join(world.folder, 'data', 'holdfast.db'), { readOnly: true });
    const tables = ['event', 'event_body', 'turn', 'append_key'];
    const counts = tables.map(
      (table) => `(SELECT count(*) FROM ${table} WHERE session NOT IN (SELECT key FROM session))`,
    );
    const row = database
      .prepare(
        `SELECT ${counts.join(' + ')} + (SELECT count(*) FROM tombstone WHERE session_key IS NOT NULL) AS left`,
      )
      .get();
    database.close();
    return Number(row?.['left']);
  }
  const client = await MongoClient.connect(url);
  try {
    const texts: string[] = [];
    const collections = await client.db().collections();
    const kept = 'audit'; // who deleted it, and what else was asked for: no text of it
    for (const collection of collections.filter(({ collectionName }) => collectionName !== kept))
      for await (const document of collection.find()) texts.push(JSON.stringify(document));
    return texts.filter((text) => text.includes(id) && !text.includes('"deleted"')).length;
  } finally {
    await client.close();
  }
}

/** Text files and databases of the data folder. */
function filesWith(folder: string, text: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path).includes(text));
}

const worlds: World[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0).toReversed()) await world.close();
});
async function open(store: 'sqlite' | 'mongo', env: Record<string, string> = {}): Promise<World> {
  const world = await World.open({ ...SCRIPTS, ...env }, store);
  worlds.push(world);
  return world;
}

await onEachStore((store) => {
  it('ends what it does, tells its followers, and leaves nothing in the database or on the disk', async () => {
    const world = await open(store);
    await world.createAgent({ name: 'wait', model: 'rehearsal/wait' });
    const [id, stays] = [
      await world.startSession({ agent: 'wait', input: `${MARK} Wait.`, metadata: { mark: MARK } }),
      await world.startSession({ agent: 'wait', input: 'Wait.' }),
    ];
    await world.sees(id, 'tool.call');
    const folder = join(world.folder, 'data', 'workspaces', id);
    await eventually('its command runs', () => existsSync(join(folder, 'files', 'waiting')));
    const [brain, hands] = [world.brainPid(id), world.handsPid(id)];
    const frames: string[] = [];
    const follower = world.subscribe(id, undefined, (frame) => frames.push(frame.__typename), LOG);
    await eventually('the end of its log', () => frames.includes('CaughtUp'));

    expect(await deleteSession(world, id)).toMatchObject({ id, replayed: false });

    await gone(world, id);
    await eventually('its follower is told', () => frames.at(-1) === 'SessionGone');
    await follower.stop();
    await eventually('brain and hands have ended', () => !isAlive(brain) && !isAlive(hands));
    await eventually('its files are gone', () => !existsSync(folder));
    await eventually('all else is gone', async () => (await leftOf(world, id)) === 0, 60_000);
    expect(await deleteSession(world, id)).toMatchObject({ id, replayed: true });
    await world.sees(stays, 'tool.call');
    await world.stop();
    expect(filesWith(join(world.folder, 'data'), MARK)).toEqual([]);
  }, 120_000);

  it('is erased to the end, wherever the server is killed meanwhile', async () => {
    const world = await open(store);
    await world.createAgent({ name: 'recall', model: 'rehearsal/recall' });
    const moments: readonly ((folder: string, id: string) => Promise<unknown>)[] = [
      async () => undefined,
      async (folder) => eventually('its files are gone', () => !existsSync(folder)),
      async (_, id) => eventually('its rows are gone', async () => (await leftOf(world, id)) === 0, 60_000),
    ];
    for (const moment of moments) {
      const id = await world.startSession({ agent: 'recall', input: `${MARK} ${'x'.repeat(100_000)}` });
      await world.sees(id, 'turn.completed');
      for (let count = 0; count < 3; count += 1) await world.send(id, `${MARK} again`);
      const folder = join(world.folder, 'data', 'workspaces', id);

      expect(await deleteSession(world, id)).toMatchObject({ id });
      await moment(folder, id);
      await world.crash();
      await world.start();

      await gone(world, id);
      await eventually('its files are gone', () => !existsSync(folder), 60_000);
      await eventually('all else is gone', async () => (await leftOf(world, id)) === 0, 60_000);
    }
    await world.stop();
    expect(filesWith(join(world.folder, 'data'), MARK)).toEqual([]);
  }, 240_000);
});

await mongoSuite('on another server than the one that runs it', () => {
  it('ends it there, and tells the followers of both', async () => {
    const one = await open('mongo');
    await one.createAgent({ name: 'wait', model: 'rehearsal/wait' });
    const other = await open('mongo', { ...one.store, HOLDFAST_SECRETS: join(one.folder, 'data') });
    const id = await one.startSession({ agent: 'wait', input: `${MARK} Wait.` });
    await one.sees(id, 'tool.call');
    const [runs, asked] = one.brainPid(id) === undefined ? [other, one] : [one, other];
    const [brain, folder] = [runs.brainPid(id), join(runs.folder, 'data', 'workspaces', id)];
    const frames: Record<'runs' | 'asked', string[]> = { runs: [], asked: [] };
    const followers = [
      runs.subscribe(id, undefined, (frame) => frames.runs.push(frame.__typename), LOG),
      asked.subscribe(id, undefined, (frame) => frames.asked.push(frame.__typename), LOG),
    ];
    await eventually('both follow', () => Object.values(frames).every((seen) => seen.includes('CaughtUp')));

    expect(await deleteSession(asked, id)).toMatchObject({ id, replayed: false });

    for (const world of [runs, asked]) await gone(world, id);
    await eventually('both are told', () =>
      Object.values(frames).every((seen) => seen.at(-1) === 'SessionGone'),
    );
    for (const follower of followers) await follower.stop();
    await eventually('its brain has ended', () => !isAlive(brain));
    await eventually('its files are gone', () => !existsSync(folder), 60_000);
    await eventually('all else is gone', async () => (await leftOf(runs, id)) === 0, 90_000);
  }, 180_000);
});
