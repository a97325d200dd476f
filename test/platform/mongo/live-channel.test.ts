/** Two processes on one database hear of each other at once, whatever the server does meanwhile. */
import { type Document, MongoClient } from 'mongodb';
import { afterEach, expect, it } from 'vitest';
import type { Delta } from '../../../src/journal/draft.ts';
import type { Hint } from '../../../src/journal/journal.ts';
import { follow } from '../../../src/journal/follow.ts';
import { Live } from '../../../src/journal/live.ts';
import { newId, type SessionId } from '../../../src/kernel/id.ts';
import { jsonLogger } from '../../../src/kernel/logger.ts';
import { MongoDatabase } from '../../../src/platform/mongo/database.ts';
import { LiveChannel } from '../../../src/platform/mongo/live/live-channel.ts';
import { openSqlite } from '../../../src/platform/sqlite/store.ts';
import { eventually } from '../../support/eventually.ts';
import { mongoSuite } from '../../support/mongo-suite.ts';
import { appending, nothing, originOf, spoken } from '../../support/session-log.ts';

/** Longer than the test may take: what is seen was hinted. */
const NEVER_MS = 600_000;

interface Process {
  readonly database: MongoDatabase;
  readonly channel: LiveChannel;
  readonly hints: Hint[];
  readonly marks: Hint[];
  readonly deltas: (Delta & { readonly sessionId: SessionId })[];
  /** What its channel complained of. */
  readonly complaints: string[];
}

const opened: Process[] = [];
/** Sessions of hints that only show how far telling has come. */
const marks = new Set<SessionId>();
afterEach(async () => {
  for (const { channel, database } of opened.splice(0)) {
    await channel.close();
    await database.close();
  }
});

/** A process with its own client, which hears. */
async function process(uri: string): Promise<Process> {
  const database = await MongoDatabase.open({ uri });
  const complaints: string[] = [];
  const logger = jsonLogger('warn', (line) => complaints.push(line));
  const channel = new LiveChannel({ database, logger });
  const one: Process = { database, channel, hints: [], marks: [], deltas: [], complaints };
  channel.onHint((hint) => (marks.has(hint.sessionId) ? one.marks : one.hints).push(hint));
  channel.onDelta((sessionId, delta) => one.deltas.push({ sessionId, ...delta }));
  opened.push(one);
  await eventually('it hears', () => channel.isHearing);
  return one;
}

/** Resolves when all that was told before has arrived. */
async function toldAll(from: Process, to: Process): Promise<void> {
  const mark = newId('session');
  marks.add(mark);
  await eventually('the mark', () => {
    from.channel.hint(mark, 1); // again, since a hint may be lost while the server is away
    return to.marks.some(({ sessionId }) => sessionId === mark);
  });
}

await mongoSuite('two processes', (server) => {
  it('hear each other once, and nobody itself (CHANNEL-3)', async () => {
    const uri = server.uri();
    const [a, b] = [await process(uri), await process(uri)];
    const id = newId('session');
    const delta = { callId: 'c1', offset: 0, text: 'Hello "♥"' };

    a.channel.hint(id, 3);
    a.channel.post(id, delta);
    await eventually('both are heard', () => b.hints.length > 0 && b.deltas.length > 0);
    await toldAll(a, b);
    await toldAll(b, a);

    expect(b.hints).toEqual([{ sessionId: id, head: 3 }]);
    expect(b.deltas).toEqual([{ sessionId: id, ...delta }]);
    expect(a.hints).toEqual([]);
    expect(a.deltas).toEqual([]);
  });

  it('tell many things at once in one write', async () => {
    const uri = server.uri();
    const [a, b] = [await process(uri), await process(uri)];
    const ids = Array.from({ length: 20 }, () => newId('session'));

    for (let head = 1; head <= 50; head += 1) {
      for (const id of ids) {
        a.channel.hint(id, head);
        a.channel.post(id, { callId: 'c1', offset: head - 1, text: 'x' });
      }
    }
    await toldAll(a, b);

    expect(b.hints).toEqual(ids.map((sessionId) => ({ sessionId, head: 50 })));
    expect(b.deltas).toEqual(
      ids.map((sessionId) => ({ sessionId, callId: 'c1', offset: 0, text: 'x'.repeat(50) })),
    );
  });

  it('hear nothing from before they started, and nothing after they ended a listener (CHANNEL-3)', async () => {
    const uri = server.uri();
    const [a, b] = [await process(uri), await process(uri)];
    a.channel.hint(newId('session'), 1);
    await eventually('it is written', () => b.hints.length === 1);

    const late = await process(uri);
    const heard: Hint[] = [];
    const end = late.channel.onHint((hint) => heard.push(hint));
    await toldAll(a, late);
    end();
    const before = heard.length;
    await toldAll(a, late);

    expect(late.hints).toEqual([]);
    expect(heard).toHaveLength(before);
  });

  it('show a reader at one what is appended and said at the other', async () => {
    const uri = server.uri();
    const [a, b] = [await process(uri), await process(uri)];
    const store = openSqlite({ path: ':memory:' }); // stands for the journal that both share
    const { journal } = store;
    const { id } = (await store.sessions.create(originOf(), nothing)).session;
    const onHint = (listener: (hint: Hint) => void) => a.channel.onHint(listener);
    const read = { read: journal.read.bind(journal), head: journal.head.bind(journal), onHint };
    const reader = new Live({ journal: read, wire: a.channel, pollMs: NEVER_MS });
    const writer = new Live({ journal, wire: b.channel });
    journal.onHint(({ sessionId, head }) => b.channel.hint(sessionId, head));
    const following = follow({ journal, live: reader }, { sessionId: id, after: 0, deltas: true });
    expect((await following.next()).value).toEqual({ kind: 'caughtUp', seq: 0 });

    writer.delta(id, { callId: 'c1', offset: 0, text: 'Hel' });
    const said = (await following.next()).value;
    writer.delta(id, { callId: 'c1', kind: 'thinking', offset: 0, text: 'Hm' });
    const thought = (await following.next()).value;
    await journal.append(id, { decide: appending(spoken('Hello', 'c1')) });
    const appended = (await following.next()).value;

    expect(said).toEqual({ kind: 'delta', callId: 'c1', offset: 0, text: 'Hel' });
    expect(thought).toEqual({ kind: 'thinking', callId: 'c1', offset: 0, text: 'Hm' });
    expect(appended).toMatchObject({ kind: 'events', head: 1 });
    expect(reader.draftsOf(id)).toEqual([]);
    await following.return?.();
    for (const live of [reader, writer]) live.close();
    store.close();
  });

  it('ignore what they do not understand (CHANNEL-5)', async () => {
    const uri = server.uri();
    const [a, b] = [await process(uri), await process(uri)];
    const live = a.database.db.collection<Document & { _id: unknown }>('live');
    const sessionId = newId('session');

    await live.insertOne({ _id: 1 });
    await live.insertMany([
      { _id: 'old', format: 0, hints: [{ sessionId, head: 1 }] },
      { _id: 'odd', format: 1, hints: 'many', deltas: [null, { sessionId, callId: 1 }] },
      { _id: { of: 'something else' }, format: 1, hints: [{ sessionId: 'ses_x', head: 1 }] },
    ]);
    await toldAll(a, b);

    expect(b.hints).toEqual([]);
    expect(b.deltas).toEqual([]);
    expect(b.complaints).toEqual([]);
  });

  it('hold one connection each while nobody talks, and none once closed', async () => {
    const uri = server.uri();
    const one = await process(uri);
    const held = new Set<unknown>();
    const { client } = one.database;
    let most = 0;
    client.on('connectionCheckedOut', ({ connectionId }) => {
      most = Math.max(most, held.add(connectionId).size);
    });
    client.on('connectionCheckedIn', ({ connectionId }) => void held.delete(connectionId));
    for (let index = 0; index < 1_000; index += 1) one.channel.onHint(() => undefined);
    await eventually('the stream asks again', () => held.size === 1);

    expect(most).toBe(1);
    await one.channel.close();

    await eventually('the server has answered its last question', () => held.size === 0);
    expect(one.channel.isHearing).toBe(false);
    one.channel.hint(newId('session'), 1);
    await one.database.close();
  });
});

await mongoSuite(
  'two processes whose server fails',
  (server) => {
    it('go on hearing after it was killed and started again (CHANNEL-4)', async () => {
      const uri = server.uri();
      const [a, b] = [await process(uri), await process(uri)];
      await toldAll(a, b);

      await server.kill();
      a.channel.hint(newId('session'), 5);
      await server.start();

      await toldAll(a, b);
      await toldAll(b, a);
    });

    it('go on after the stream has lost its place in the history of the server (CHANNEL-4)', async () => {
      const uri = server.uri();
      const [a, b] = [await process(uri), await process(uri)];
      await toldAll(a, b);
      const lost = { failCommands: ['getMore'], errorCode: 286 }; // ChangeStreamHistoryLost: the driver does not resume
      await using client = new MongoClient(server.base);

      await client.db('admin').command({ configureFailPoint: 'failCommand', mode: { times: 2 }, data: lost });

      await eventually('a stream has failed', () => !a.channel.isHearing || !b.channel.isHearing);
      await toldAll(a, b);
      await toldAll(b, a);
    });

    it('go on after the collection was dropped (CHANNEL-4)', async () => {
      const uri = server.uri();
      const [a, b] = [await process(uri), await process(uri)];
      await toldAll(a, b);

      await a.database.db.collection('live').drop();

      await toldAll(a, b);
      await toldAll(b, a);
    });

    it('keep their hints over writes that fail, and close while the server is away', async () => {
      const uri = server.uri();
      const [a, b] = [await process(uri), await process(uri)];
      const id = newId('session');
      await using client = new MongoClient(server.base);
      const refused = { failCommands: ['update'], errorCode: 8_000 };

      await client
        .db('admin')
        .command({ configureFailPoint: 'failCommand', mode: { times: 3 }, data: refused });
      a.channel.hint(id, 8);
      a.channel.post(id, { callId: 'c1', offset: 0, text: 'dropped' });
      await eventually('the hint', () => b.hints.length > 0);

      expect(b.hints).toEqual([{ sessionId: id, head: 8 }]);
      expect(b.deltas).toEqual([]);
      await server.kill();
      a.channel.hint(id, 9);
      for (const one of opened.splice(0)) {
        await one.channel.close();
        await one.database.close();
      }
      await server.start();
    });
  },
  { own: true, testCommands: true },
);
