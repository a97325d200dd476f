/**
 * Sessions that go from server to server with their files: real hands, checkpoints in MongoDB. Servers are played by launchers with
 * a data folder each. What runs here outside of bubblewrap is harmless (hands-in-the-open.test.ts says why).
 */
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock as clock } from '../../../src/kernel/clock.ts';
import { newId, type SessionId } from '../../../src/kernel/id.ts';
import { jsonLogger } from '../../../src/kernel/logger.ts';
import { Checkpoints } from '../../../src/platform/local/workspace/checkpoints.ts';
import { chooseIsolation } from '../../../src/platform/local/isolation/isolation.ts';
import { LocalLauncher } from '../../../src/platform/local/launcher/launcher.ts';
import type { Bounds } from '../../../src/platform/host/workspace/workspace-save.ts';
import { WorkspaceStore } from '../../../src/platform/host/workspace/workspace-store.ts';
import { type FilesAsOf, type LogPlace, WorkspaceHeld } from '../../../src/hands/workspace-archive.ts';
import { launchMark } from '../../../src/platform/local/isolation/orphans.ts';
import type { Hands } from '../../../src/supervisor/launcher.ts';
import { eventually } from '../../support/eventually.ts';
import { failingAt, type FailingWrites } from '../../support/failing-writes.ts';
import { mongoSuite } from '../../support/mongo-suite.ts';
import { openArchive, type OpenMongoArchive } from '../../support/open-archive.ts';

interface Options {
  readonly database?: FailingWrites['database'];
  readonly isolated?: boolean;
  readonly bounds?: Bounds;
}

interface Claimed {
  readonly _id: string;
  readonly claim: number;
  readonly holder?: string;
}

interface Server {
  readonly launcher: LocalLauncher;
  readonly checkpoints: Checkpoints;
  folderOf(sessionId: SessionId): string;
}

await mongoSuite('a session that moves', (mongo) => {
  let folder: string;
  let archive: OpenMongoArchive;
  let sessionId: SessionId;
  let logs: string;
  /** How far the log has come, for saves that no slot asks for. */
  let logPlace: LogPlace | undefined;
  const running: Hands[] = [];
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-moves-'));
    archive = await openArchive(mongo.uri());
    sessionId = newId('session');
    logs = '';
    logPlace = undefined;
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((hands) => hands.stop()));
    await archive.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** `place` is its data folder: a server that is started again has the same place and is another owner. */
  const server = async (owner: string, place = owner, options: Options = {}): Promise<Server> => {
    const logger = jsonLogger('info', (line) => {
      logs += line;
    });
    const workspaces = new WorkspaceStore(join(folder, place));
    const kept = await archive.through(options.database ?? archive.database, owner);
    const short = { holderWaitMs: 300, owedRetryMs: 20, bounds: options.bounds };
    const checkpoints = new Checkpoints({
      archive: kept,
      workspaces,
      placeOf: async () => logPlace,
      clock,
      logger,
      ...short,
    });
    const isolation = await chooseIsolation(
      options.isolated === true ? 'bubblewrap' : 'none',
      launchMark('test'),
      process.env.PATH,
    );
    const unitSocket = join(folder, 'unit.sock');
    const launcher = new LocalLauncher({ isolation, workspaces, checkpoints, unitSocket, logger });
    return { launcher, checkpoints, folderOf: (id) => join(folder, place, id) };
  };
  const run = async ({ launcher }: Server, command: string): Promise<string> => {
    const hands = await launcher.launchHands(sessionId);
    running.push(hands);
    await launcher.told(sessionId); // as the workbench has it before a call
    const callId = `call_${Math.random().toString(36).slice(2)}`;
    const { output } = await hands.call({ callId, tool: 'bash', input: { command }, timeoutMs: 30_000 });
    await hands.stop();
    return output.trim();
  };

  it('finds its files on another server, and on the first one what the other has made of them', async () => {
    const [a, b] = [await server('a'), await server('b')];
    expect(await run(a, 'echo one > f; cat f')).toBe('one');
    await a.launcher.rest(sessionId);
    expect(await run(b, 'cat f; echo two > f')).toBe('one');
    await b.launcher.rest(sessionId);

    expect(await run(a, 'cat f')).toBe('two');
    await a.launcher.rest(sessionId);
    expect(
      readdirSync(join(a.folderOf(sessionId), 'results')).filter((entry) => entry.endsWith('.json')),
    ).toHaveLength(3);
    expect(logs).toContain('"workspace restored"');
  });

  it('finds its files when the folder of the server is gone', async () => {
    const a = await server('a');
    await run(a, 'echo kept > f');
    await a.launcher.rest(sessionId);
    rmSync(a.folderOf(sessionId), { recursive: true });

    expect(await run(a, 'cat f')).toBe('kept');
  });

  it('has its files as its own inside the isolation', async () => {
    const [a, b] = [await server('a', 'a', { isolated: true }), await server('b', 'b', { isolated: true })];
    await run(a, 'mkdir d; echo kept > d/f; chmod 600 d/f; chmod 700 d');
    await a.launcher.rest(sessionId);

    expect(await run(b, 'cat d/f && echo more >> d/f && tail -1 d/f')).toBe('kept\nmore');
    const owner = lstatSync(join(b.folderOf(sessionId), 'files/d/f')).uid;
    if (process.getuid?.() === 0) expect(owner).toBeGreaterThanOrEqual(210_000);
  });

  it('is not opened on two servers: the second waits, and says why it gives up (CHECKPOINT-1)', async () => {
    const [a, b] = [await server('a'), await server('b')];
    await run(a, 'echo one > f');
    await expect(run(b, 'cat f')).rejects.toBeInstanceOf(WorkspaceHeld);

    const stop = new AbortController();
    const waiting = b.launcher.launchHands(sessionId, stop.signal);
    stop.abort();
    await expect(waiting).rejects.toBeInstanceOf(WorkspaceHeld);
    await a.launcher.rest(sessionId);
    expect(await run(b, 'cat f')).toBe('one');
  });

  it('keeps the copy here while nobody has gone on from it elsewhere', async () => {
    const a = await server('a');
    await run(a, 'echo one > f');
    await a.launcher.rest(sessionId);
    await run(a, 'echo newer > f'); // and the server is killed
    await archive.die('a');

    const again = await server('again', 'a');
    expect(await run(again, 'cat f')).toBe('newer');
  });

  it('goes on from the checkpoint when the server that had it is dead, and the dead one cannot undo that', async () => {
    const [a, b] = [await server('a'), await server('b')];
    await run(a, 'echo one > f');
    await a.launcher.rest(sessionId);
    await run(a, 'echo lost > f');
    await archive.die('a');
    expect(await run(b, 'cat f; echo two > f')).toBe('one');
    await a.launcher.rest(sessionId); // it was not dead after all
    await b.launcher.rest(sessionId);

    expect(logs).toContain('ClaimLost');
    const back = await server('back', 'a');
    expect(await run(back, 'cat f')).toBe('two');
    expect(logs).toContain('what was not saved here is dropped');
  });

  it('goes on from the last checkpoint that was made while its hands lived, and knows how far that reaches (CHECKPOINT-5)', async () => {
    const [a, b] = [await server('a'), await server('b')];
    const hands = await a.launcher.launchHands(sessionId);
    running.push(hands);
    expect(hands.filesAsOf).toEqual({ kind: 'checkpoint', place: { seq: 0, turn: 0 }, isCut: false });
    await a.launcher.told(sessionId);
    const say = (callId: string, command: string) =>
      hands.call({ callId, tool: 'bash', input: { command }, timeoutMs: 30_000 });
    await say('c1', 'echo one > f');
    expect(await a.launcher.checkpoint(sessionId, { seq: 5, turn: 1 })).toBe(true);
    await say('c2', 'echo two > f');
    expect(await a.launcher.checkpoint(sessionId, { seq: 9, turn: 2 })).toBe(true);
    await say('c3', 'echo lost > f');
    await archive.die('a'); // killed

    const there = await b.launcher.launchHands(sessionId);
    running.push(there);
    const { filesAsOf } = there;
    const place = { seq: 9, turn: 2 };
    expect(filesAsOf).toEqual({ kind: 'checkpoint', savedAt: expect.any(Number), place, isCut: true });
    await there.stop();
    expect(await run(b, 'cat f')).toBe('two');
    await b.launcher.rest(sessionId, { seq: 20, turn: 3 });
    const c = await server('c');
    const after = (await c.checkpoints.open(sessionId)).filesAsOf;
    expect(after).toMatchObject({ place: { seq: 20, turn: 3 }, isCut: false });
  });

  it('whose server was killed after such a checkpoint, and is back first, has all its files', async () => {
    const a = await server('a');
    const hands = await a.launcher.launchHands(sessionId);
    running.push(hands);
    await a.launcher.told(sessionId);
    const say = (callId: string, command: string) =>
      hands.call({ callId, tool: 'bash', input: { command }, timeoutMs: 30_000 });
    await say('c1', 'echo one > f');
    const marker = join(a.folderOf(sessionId), 'checkpoint.json');
    const before = readFileSync(marker);
    await a.launcher.checkpoint(sessionId, { seq: 5, turn: 1 });
    writeFileSync(marker, before); // it was killed before it had written the new one
    await say('c2', 'echo newer > f');
    await archive.die('a');

    const again = await server('again', 'a');
    const opened = await again.checkpoints.open(sessionId);
    expect(opened).toMatchObject({ filesAsOf: { kind: 'now' }, resultsAreWhole: true });
    expect(readFileSync(join(opened.workspace.files, 'f'), 'utf8')).toBe('newer\n');
    expect(logs).not.toContain('dropped');
  });

  /** A session whose files are older than the log: b has taken it over from a, which died with what it had done since. */
  const reverted = async (): Promise<{ readonly b: Server; readonly lost: FilesAsOf }> => {
    const [a, b] = [await server('a'), await server('b')];
    await run(a, 'echo one > f');
    await a.launcher.checkpoint(sessionId, { seq: 5, turn: 1 });
    await run(a, 'echo lost > f');
    await archive.die('a');
    const place = { seq: 5, turn: 1 };
    return { b, lost: { kind: 'checkpoint', savedAt: expect.any(Number), place, isCut: true } };
  };

  it('says what was lost until the log does, also when hands did not start: proves CHECKPOINT-5', async () => {
    const { b, lost } = await reverted();
    expect((await b.checkpoints.open(sessionId)).filesAsOf).toEqual(lost); // and no hands start
    expect((await b.checkpoints.open(sessionId)).filesAsOf).toEqual(lost);
    await b.checkpoints.told(sessionId);
    expect((await b.checkpoints.open(sessionId)).filesAsOf).toEqual({ kind: 'now' });
  });

  it('says what was lost also after the server that found it out was killed, or could save nothing', async () => {
    const { b, lost } = await reverted();
    await b.checkpoints.open(sessionId); // and it is killed
    await archive.die('b');
    const bounds = { bytesMax: 0, entriesMax: 0 };
    const second = await server('second', 'b', { bounds });
    expect((await second.checkpoints.open(sessionId)).filesAsOf).toEqual(lost);
    await second.checkpoints.rest(sessionId, { seq: 20, turn: 3 });
    expect(logs).toContain('workspace not saved');
    await archive.die('second');

    const third = await server('third', 'b');
    expect((await third.checkpoints.open(sessionId)).filesAsOf).toEqual(lost);
    await third.checkpoints.rest(sessionId, { seq: 20, turn: 3 });
    const elsewhere = await (await server('d')).checkpoints.open(sessionId);
    expect(elsewhere.filesAsOf).toMatchObject({ place: { seq: 5, turn: 1 } });
  });

  it.each(['opened', 'saved'])(
    'does not bring back what was told to be lost, when the server that had it is back and it is %s',
    async (how) => {
      const { b, lost } = await reverted();
      expect((await b.checkpoints.open(sessionId)).filesAsOf).toEqual(lost);
      await b.checkpoints.told(sessionId);
      await archive.die('b'); // nothing of it was saved

      const back = await server('back', 'a');
      if (how === 'saved') {
        const stop = new AbortController();
        const served = back.checkpoints.run(stop.signal);
        await eventually('it is given back', async () => {
          const { db } = archive.database;
          const found = await db.collection<Claimed>('workspace').findOne({ _id: sessionId });
          return found !== null && found.claim > 2 && found.holder === undefined;
        });
        stop.abort();
        await served;
      }
      const opened = await (how === 'saved' ? await server('c') : back).checkpoints.open(sessionId);
      expect(opened).toMatchObject({ filesAsOf: lost, resultsAreWhole: false });
      expect(readFileSync(join(opened.workspace.files, 'f'), 'utf8')).toBe('one\n');
    },
  );

  it('tells nobody of a loss when the server was killed between claim and marker: proves ARCHIVE-6', async () => {
    const a = await server('a');
    await run(a, 'echo one > f');
    await a.launcher.checkpoint(sessionId, { seq: 5, turn: 1 });
    await run(a, 'echo newer > f'); // and it is killed
    await archive.die('a');
    const again = await archive.as('again');
    await again.claim(sessionId, 0); // and it is killed
    await archive.die('again');

    const third = await server('third', 'a');
    const opened = await third.checkpoints.open(sessionId);
    expect(opened).toMatchObject({ filesAsOf: { kind: 'now' }, resultsAreWhole: true });
    expect(readFileSync(join(opened.workspace.files, 'f'), 'utf8')).toBe('newer\n');
  });

  it.each(['the claim', 'the release'])(
    'is given back when %s had no answer: proves CHECKPOINT-6',
    async (what) => {
      const a = await server('a');
      await run(a, 'echo one > f');
      await a.launcher.rest(sessionId, { seq: 5, turn: 1 });
      if (what === 'the release') await archive.database.db.collection('workspace.chunks').deleteMany({});
      const view = failingAt(archive.database, what === 'the claim' ? 1 : 2, what === 'the claim');
      const b = await server('b', 'b', { database: view.database });
      await expect(b.checkpoints.open(sessionId)).rejects.toThrow(/cut here|cannot be restored/);
      await expect((await archive.as('c')).claim(sessionId, 0)).rejects.toBeInstanceOf(WorkspaceHeld);
      view.mend();
      const stop = new AbortController();
      const served = b.checkpoints.run(stop.signal);

      await eventually('it is free', async () => {
        const claim = await (await archive.as('c')).claim(sessionId, 0).catch(() => undefined);
        await claim?.release();
        return claim !== undefined;
      });
      stop.abort();
      await served;
    },
  );

  it('is saved by a server that was killed and is back, with no hands started (CHECKPOINT-2)', async () => {
    const a = await server('a');
    await run(a, 'echo kept > f'); // and the server is killed
    logPlace = { seq: 7, turn: 1 };
    const again = await server('again', 'a');
    const stop = new AbortController();
    const served = again.checkpoints.run(stop.signal);
    await archive.die('a'); // known only after a while

    await eventually('it is saved', () => logs.includes('"workspace saved"'));
    stop.abort();
    await served;
    const b = await server('b');
    expect((await b.checkpoints.open(sessionId)).filesAsOf).toMatchObject({ place: logPlace });
    expect(await run(b, 'cat f')).toBe('kept');
  });

  it('keeps its files here while the database does not answer, and saves them when it does (CHECKPOINT-2)', async () => {
    const view = failingAt(archive.database, Infinity, false);
    const a = await server('a', 'a', { database: view.database });
    const stop = new AbortController();
    const served = a.checkpoints.run(stop.signal); // finds nothing that it owes when it begins
    await run(a, 'echo kept > f');
    view.cut();
    await a.launcher.rest(sessionId);
    expect(logs).toContain('workspace not saved');
    expect(readFileSync(join(a.folderOf(sessionId), 'files/f'), 'utf8')).toBe('kept\n');
    await expect(run(await server('b'), 'cat f')).rejects.toBeInstanceOf(WorkspaceHeld);

    view.mend();
    await eventually('it is saved', () => logs.includes('"workspace saved"'));
    stop.abort();
    await served;
    expect(await run(await server('c'), 'cat f')).toBe('kept');
  });

  it('still has every result after a server that was back, could not save it, and was killed again', async () => {
    const a = await server('a');
    await run(a, 'echo one > f'); // and the server is killed
    await archive.die('a');
    const second = await server('second', 'a', { bounds: { bytesMax: 1, entriesMax: 100 } });
    const stop = new AbortController();
    const served = second.checkpoints.run(stop.signal);
    await eventually('it could not save', () => logs.includes('workspace not saved'));
    stop.abort();
    await served;
    await archive.die('second');

    const third = await server('third', 'a');
    expect(await third.checkpoints.open(sessionId)).toMatchObject({ resultsAreWhole: true });
  });

  it('whose server was killed between checkpoint and marker has lost nothing, and the log says so', async () => {
    const a = await server('a');
    await run(a, 'echo one > f');
    const marker = join(a.folderOf(sessionId), 'checkpoint.json');
    const before = readFileSync(marker);
    await a.launcher.rest(sessionId);
    writeFileSync(marker, before);

    expect(await run(await server('again', 'a'), 'cat f')).toBe('one');
    expect(logs).not.toContain('dropped');
  });

  it('that was forgotten while its server was away is removed there when the server is back (CHECKPOINT-4)', async () => {
    const [a, b] = [await server('a'), await server('b')];
    const killed = sessionId;
    await run(a, 'echo one > f'); // and the server is killed
    const [saved, kept, unmarked] = [newId('session'), newId('session'), newId('session')];
    for (const id of [saved, kept, unmarked]) {
      sessionId = id;
      await run(a, 'echo one > f');
      await a.launcher.rest(id);
    }
    rmSync(join(a.folderOf(unmarked), 'checkpoint.json')); // then nothing is known about it
    await archive.die('a');
    for (const id of [killed, saved, unmarked]) await b.launcher.forget(id);

    const again = await server('again', 'a');
    const stop = new AbortController();
    const served = again.checkpoints.run(stop.signal);
    const isHere = (id: SessionId) => existsSync(a.folderOf(id));
    await eventually('they are removed', () => !isHere(killed) && !isHere(saved));
    stop.abort();
    await served;
    expect([kept, unmarked].map(isHere)).toEqual([true, true]);
    expect(await archive.database.db.collection('workspace').distinct('_id')).toEqual([kept]);
    expect(logs.match(/"workspace saved"/g)).toHaveLength(3);
  });

  it('that is forgotten while a server that is back claims it leaves nothing behind (CHECKPOINT-4)', async () => {
    const a = await server('a');
    await run(a, 'echo one > f'); // and the server is killed
    await archive.die('a');
    const { database } = failingAt(archive.database, Infinity, false, async (write, collection) => {
      if (write !== 'findOneAndUpdate' || isForgotten) return;
      isForgotten = true;
      expect(collection).toBe('workspace');
      await (await archive.as('b')).forget(sessionId);
    });
    let isForgotten = false;
    const again = await server('again', 'a', { database });
    const stop = new AbortController();
    const served = again.checkpoints.run(stop.signal);

    await eventually('it is removed', () => !existsSync(a.folderOf(sessionId)));
    stop.abort();
    await served;
    expect(await archive.database.db.collection('workspace').countDocuments()).toBe(0);
    expect(await archive.stored(sessionId)).toEqual([]);
  });

  it('keeps its folder while it cannot be forgotten, so that the next start finds it (REMOVAL-2)', async () => {
    const a = await server('a');
    await run(a, 'echo one > f'); // and the server is killed
    const again = await server('again', 'a');
    expect(await again.launcher.forget(sessionId)).toBe(false);
    expect(await again.launcher.sessions()).toEqual([sessionId]);

    await archive.die('a'); // known only after a while
    expect(await again.launcher.forget(sessionId)).toBe(true);
    expect(await again.launcher.sessions()).toEqual([]);
    expect(await archive.stored(sessionId)).toEqual([]);
  });

  it('leaves nothing behind when it is forgotten', async () => {
    const a = await server('a');
    await run(a, 'echo one > f');
    await a.launcher.rest(sessionId);
    await a.launcher.forget(sessionId);

    expect(await archive.stored(sessionId)).toEqual([]);
    expect(existsSync(a.folderOf(sessionId))).toBe(false);
    expect(await archive.database.db.collection('workspace').countDocuments()).toBe(0);
  });

  it('whose checkpoint cannot be restored says so, and gives the claim back', async () => {
    const [a, b] = [await server('a'), await server('b')];
    await run(a, 'echo one > f');
    await a.launcher.rest(sessionId);
    await archive.database.db.collection('workspace.chunks').deleteMany({});
    await expect(run(b, 'cat f')).rejects.toThrow('cannot be restored');

    writeFileSync(join(a.folderOf(sessionId), 'files', 'g'), 'whole here');
    expect(await run(a, 'cat f')).toBe('one');
    await a.launcher.rest(sessionId);
    expect(await run(b, 'cat f')).toBe('one');
  });
});
