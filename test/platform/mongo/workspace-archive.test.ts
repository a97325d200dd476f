/** MongoDB keeps the contract of the workspace archive, and is asked with the right concerns. */
import { type CommandStartedEvent, MongoClient } from 'mongodb';
import { expect, it } from 'vitest';
import { newId } from '../../../src/kernel/id.ts';
import { workspaceArchiveContract } from '../../contracts/workspace-archive.ts';
import { eventually } from '../../support/eventually.ts';
import { failingAt } from '../../support/failing-writes.ts';
import { mongoSuite } from '../../support/mongo-suite.ts';
import { openArchive } from '../../support/open-archive.ts';

/** As MongoDatabase has its client. */
const AS_OPENED = {
  writeConcern: { w: 'majority', journal: true },
  readConcern: { level: 'majority' },
} as const;
/** Names of contents: nobody checks them here. */
const [OLD, NEW] = ['0'.repeat(64), '1'.repeat(64)] as const;
const READS = ['find', 'distinct'];
const WRITES = ['insert', 'update', 'delete', 'findAndModify'];

await mongoSuite('workspaces in MongoDB', (server) => {
  workspaceArchiveContract({ name: server.name, open: () => openArchive(server.uri()) });

  it('knows no place of a checkpoint that a server of an older version has made', async () => {
    const world = await openArchive(server.uri());
    const sessionId = newId('session');
    const claim = await (await world.as('a')).claim(sessionId, 0);
    const root = await claim.write('a'.repeat(64), [Buffer.from('root')]);
    await claim.settle(root, new Set(), { seq: 7, turn: 1 });
    // as it sets the pointer, with other files and then with the same
    const workspaces = world.database.db.collection<{ _id: string }>('workspace');
    for (const version of [2, 1]) {
      const pointed = { version, root, savedAt: new Date(2 ** 41 + version) };
      await workspaces.updateOne({ _id: sessionId }, { $set: pointed });
      const next = await (await world.as('b')).claim(sessionId, 0);
      expect(next.age).toEqual({ savedAt: 2 ** 41 + version, place: undefined });
      await next.release();
    }
    await world.close();
  });

  it('takes a claim of a server of an older version for one under which work has begun', async () => {
    const world = await openArchive(server.uri());
    const sessionId = newId('session');
    const [a, b] = [await world.as('a'), await world.as('b')];
    const claim = await a.claim(sessionId, 0);
    await claim.begin();
    await claim.release();
    // as it claims
    const workspaces = world.database.db.collection<{ _id: string; claim: number }>('workspace');
    await workspaces.updateOne({ _id: sessionId }, { $set: { holder: 'older' }, $inc: { claim: 1 } });

    const taken = await b.claim(sessionId, 0);
    expect([taken.number, taken.begunBefore, taken.gap, taken.isCut]).toEqual([3, 2, 'fresh', true]);
    await world.close();
  });

  it('ARCHIVE-5, ARCHIVE-6 finds the gap after a begin whose answer was lost, when the claim was given back', async () => {
    const world = await openArchive(server.uri());
    const sessionId = newId('session');
    await (await (await world.as('a')).claim(sessionId, 0)).begin();
    await world.die('a');
    let isLost = false;
    const { database } = failingAt(world.database, Infinity, false, undefined, async () => {
      if (isLost) throw new Error('no answer');
    });
    const restarted = await (await world.through(database, 'restarted')).claim(sessionId, 0);
    restarted.closeGap();
    isLost = true;
    await expect(restarted.begin()).rejects.toThrow('no answer');
    isLost = false;
    await restarted.release();

    const next = await (await world.as('next')).claim(sessionId, 0);
    expect([next.begunBefore, next.gap, next.isCut]).toEqual([1, 'fresh', true]);
    await world.close();
  });

  it('removes nothing of the next holder, who comes right after its checkpoint (GRIDFS-2)', async () => {
    const world = await openArchive(server.uri());
    const sessionId = newId('session');
    let overtake: (() => Promise<void>) | undefined = async () => {
      overtake = undefined;
      const next = await (await world.as('next')).claim(sessionId, 0);
      await next.settle(await next.write(NEW, [Buffer.from('new')]), new Set());
    };
    const isPointer = (write: string, collection: string) =>
      write === 'updateOne' && collection === 'workspace';
    const { database } = failingAt(world.database, Infinity, false, undefined, async (write, collection) => {
      if (isPointer(write, collection)) await overtake?.();
    });
    const claim = await (await world.through(database, 'slow')).claim(sessionId, 0);
    await claim.settle(await claim.write(OLD, [Buffer.from('old')]), new Set());

    expect(overtake).toBeUndefined();
    const last = await (await world.as('last')).claim(sessionId, 0);
    const parts: Uint8Array[] = [];
    for await (const part of last.read(last.checkpoint?.root ?? '')) parts.push(part);
    expect(Buffer.concat(parts).toString()).toBe('new');
    await world.close();
  });

  it('finds what a cut upload left by its chunks, and removes it with the next checkpoint (GRIDFS-3)', async () => {
    const world = await openArchive(server.uri());
    const sessionId = newId('session');
    const chunks = world.database.db.collection<{ files_id: string }>('workspace.chunks');
    const claim = await (await world.as('a')).claim(sessionId, 0);
    const id = `${sessionId}/${claim.number}/${OLD}`;
    const cut = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(3 * 1024 * 1024);
      await eventually('a chunk is there', () =>
        chunks.findOne({ files_id: id }).then((one) => one !== null),
      );
      throw new Error('cut');
    };
    await expect(claim.write(OLD, cut())).rejects.toThrow('cut');
    const files = world.database.db.collection('workspace.files');
    expect(await files.countDocuments()).toBe(0);
    await claim.release();

    const next = await (await world.as('b')).claim(sessionId, 0);
    const root = await next.write(NEW, [Buffer.from('new')]);
    await next.settle(root, new Set());
    expect(await world.stored(sessionId)).toEqual([`${sessionId}/${root}`]);
    await world.close();
  });

  it('reads what the primary has, and writes to a majority', async () => {
    const uri = server.uri();
    const world = await openArchive(uri);
    const client = new MongoClient(uri, { monitorCommands: true, ...AS_OPENED });
    const db = client.db(world.database.db.databaseName);
    const asked: CommandStartedEvent[] = [];
    client.on('commandStarted', (event) => asked.push(event));
    const archive = await world.through({ client, db }, 'a');
    const sessionId = newId('session');
    for (const text of ['one', 'two']) {
      const claim = await archive.claim(sessionId, 0);
      const content = await claim.write('a'.repeat(63) + text.length, [Buffer.from(text)]);
      await claim.settle(content, new Set());
      for await (const _ of claim.read(content));
    }
    await archive.forget(sessionId);
    await client.close();
    await world.close();

    const concerns = (names: readonly string[], concern: string): unknown[] =>
      asked
        .filter(({ commandName }) => names.includes(commandName))
        .map(({ command }) => JSON.stringify(command[concern]));
    expect(new Set(concerns(READS, 'readConcern'))).toEqual(new Set(['{"level":"local"}']));
    expect(new Set(concerns(WRITES, 'writeConcern'))).toEqual(new Set(['{"w":"majority","j":true}']));
  });
});
