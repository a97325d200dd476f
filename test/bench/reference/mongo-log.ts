/**
 * The bare driver: one document per event in one collection, majority and journaled, with the same fields and the same bytes of
 * body. No record, no checks, no keys, no epochs, and nothing that would stop two writers. `mongo-log.ts <URI>`
 */
import { type ChangeStream, type Document, MongoClient } from 'mongodb';
import { newId, type SessionId, turnIdOf } from '../../../src/kernel/id.ts';
import { PAGE_EVENTS_MAX } from '../../../src/kernel/limit.ts';
import { answerParent } from '../child.ts';
import { Arrivals, type LogCommands, moment } from '../mongo-log.ts';
import { inFlight } from '../ours/holdfast.ts';
import { sampleEvent } from '../sample-events.ts';
import { median } from '../statistics.ts';
import { seconds } from '../turns.ts';

interface EventDocument extends Document {
  readonly _id: string;
  readonly body: string;
}

/** As an id that sorts: the digits of ours. */
const SEQ_DIGITS = 10;
/** How long the server holds a question of the change stream open; ours has the same. */
const AWAIT_MS = 1_000;
const FILLING = 500;

const client = new MongoClient(process.argv[2] ?? '', {
  writeConcern: { w: 'majority', journal: true },
  readConcern: { level: 'majority' },
});
const events = client.db().collection<EventDocument>('event');
const heads = new Map<SessionId, number>();
const sessions: SessionId[] = [];
const arrivals = new Arrivals();
let filled: SessionId | undefined;
let following: ChangeStream<EventDocument> | undefined;

const commands: LogCommands = {
  start: async (count) => {
    for (let index = 0; index < count; index += 1) sessions.push(newId('session'));
    await client.db().createCollection('event');
  },
  one: async (count) => {
    const took: number[] = [];
    for (let index = 0; index < count; index += 1) {
      const from = performance.now();
      await events.insertOne(nextOf(sessionAt(0)));
      took.push(performance.now() - from);
    }
    return median(took);
  },
  many: ({ count, width }) =>
    seconds(() =>
      inFlight(width, count, async (index) => void (await events.insertOne(nextOf(sessionAt(index))))),
    ),
  grouped: ({ count, width }) =>
    seconds(async () => {
      for (let from = 0; from < count; from += width)
        await events.insertMany(
          Array.from({ length: Math.min(width, count - from) }, (_, at) => nextOf(sessionAt(from + at))),
          { ordered: false },
        );
    }),
  fill: async (count) => {
    const session = newId('session');
    filled = session;
    for (let from = 0; from < count; from += FILLING)
      await events.insertMany(
        Array.from({ length: Math.min(FILLING, count - from) }, (_, at) => nextOf(session, from + at)),
      );
  },
  replay: (count) =>
    seconds(async () => {
      if (filled === undefined) throw new Error('There is nothing to replay.');
      let after = 0;
      for (;;) {
        const range = { $gt: idOf(filled, after), $lte: idOf(filled, after + PAGE_EVENTS_MAX) };
        const page = await events.find({ _id: range }).sort({ _id: 1 }).limit(PAGE_EVENTS_MAX).toArray();
        if (page.length === 0) break;
        after += page.length;
      }
      if (after !== count) throw new Error(`The log was replayed up to ${after}.`);
    }),
  appended: async () => sessionAt(0),
  follow: async (session) => {
    const stream = events.watch([{ $match: { 'fullDocument.session': session } }], {
      maxAwaitTimeMS: AWAIT_MS,
    });
    await stream.tryNext(); // the server knows where it begins
    following = stream;
    void receive(stream);
  },
  append: async () => {
    const from = moment();
    await events.insertOne(nextOf(sessionAt(0)));
    return from;
  },
  arrival: () => arrivals.next(),
};

answerParent(commands, async () => {
  await following?.close();
  await client.close();
});

async function receive(stream: ChangeStream<EventDocument>): Promise<void> {
  try {
    for await (const change of stream) if (change.operationType === 'insert') arrivals.came();
  } catch (error) {
    if (!stream.closed) throw error;
  }
}

function sessionAt(index: number): SessionId {
  const session = sessions[index % sessions.length];
  if (session === undefined) throw new Error('No sessions.');
  return session;
}

function nextOf(session: SessionId, index = 0): EventDocument {
  const seq = (heads.get(session) ?? 0) + 1;
  heads.set(session, seq);
  const { type, actor, turnId, body } = sampleEvent(index, turnIdOf(session, 1));
  const level = 'user';
  return {
    _id: idOf(session, seq),
    session,
    seq,
    at: Date.now(),
    type,
    level,
    actor,
    turnId,
    body: JSON.stringify(body),
  };
}

function idOf(session: SessionId, seq: number): string {
  return `${session}/${String(seq).padStart(SEQ_DIGITS, '0')}`;
}
