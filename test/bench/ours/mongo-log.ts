/** Ours on MongoDB, without a wire of its own: the journal as a server uses it. `mongo-log.ts <data folder> <URI>` */
import { follow } from '../../../src/journal/follow.ts';
import type { SessionId } from '../../../src/kernel/id.ts';
import { PAGE_EVENTS_MAX } from '../../../src/kernel/limit.ts';
import { answerParent } from '../child.ts';
import { Arrivals, FILL_EVENTS, type LogCommands, moment } from '../mongo-log.ts';
import { sampleEvent } from '../sample-events.ts';
import { median } from '../statistics.ts';
import { seconds } from '../turns.ts';
import { append, inFlight, openHoldfast, type RunningSession, startRunning } from './holdfast.ts';

const STARTING = 50;

const holdfast = await openHoldfast(process.argv[2] ?? '', process.argv[3]);
const { journal, live } = holdfast.ports;
const running: RunningSession[] = [];
const arrivals = new Arrivals();
const stop = new AbortController();
let filled: { readonly session: RunningSession; readonly count: number } | undefined;

const many: LogCommands['many'] = ({ count, width }) =>
  seconds(() => inFlight(width, count, (index) => appendTo(sessionAt(index), 1)));

const commands: LogCommands = {
  start: async (sessions) => {
    await inFlight(STARTING, sessions, async () => void running.push(await startRunning(holdfast)));
  },
  one: async (count) => {
    const took: number[] = [];
    for (let index = 0; index < count; index += 1) {
      const from = performance.now();
      await appendTo(sessionAt(0), 1);
      took.push(performance.now() - from);
    }
    return median(took);
  },
  many,
  grouped: many, // the journal groups by itself
  fill: async (count) => {
    const session = await startRunning(holdfast);
    for (let written = 0; written < count; written += FILL_EVENTS) await appendTo(session, FILL_EVENTS);
    filled = { session, count };
  },
  replay: (count) =>
    seconds(async () => {
      if (filled === undefined) throw new Error('There is nothing to replay.');
      const { sessionId, head } = filled.session;
      let after = head;
      for (;;) {
        const events = await journal.read(sessionId, { after, limit: PAGE_EVENTS_MAX });
        if (events.length === 0) break;
        after += events.length;
      }
      if (after !== head + count) throw new Error(`The log was replayed up to ${after}.`);
    }),
  appended: async () => sessionAt(0).sessionId,
  follow: async (session) => {
    const sessionId = session as SessionId; // appended() answered it
    const frames = follow(
      { journal, live },
      { sessionId, after: await journal.head(sessionId), deltas: false },
      stop.signal,
    );
    await frames.next(); // caught up
    void receive(frames);
  },
  append: async () => {
    const from = moment();
    await appendTo(sessionAt(0), 1);
    return from;
  },
  arrival: () => arrivals.next(),
};

answerParent(commands, () => {
  stop.abort();
  return holdfast.close();
});

async function receive(frames: ReturnType<typeof follow>): Promise<void> {
  for await (const frame of frames)
    if (frame.kind === 'events') for (const _ of frame.events) arrivals.came();
}

function sessionAt(index: number): RunningSession {
  const session = running[index % running.length];
  if (session === undefined) throw new Error('No sessions.');
  return session;
}

function appendTo({ sessionId, turnId }: RunningSession, count: number): Promise<void> {
  return append(
    journal,
    sessionId,
    Array.from({ length: count }, (_, index) => sampleEvent(index, turnId)),
  );
}
