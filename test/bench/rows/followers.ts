/** 1,000 followers of one session, same document and variables: one execution for all against one execution for each. */
import { join } from 'node:path';
import { Child } from '../child.ts';
import { CountingSocket } from '../counting-socket.ts';
import { withFolders } from '../folders.ts';
import { KEY, type RunningSession } from '../ours/holdfast.ts';
import type { ServerCommands } from '../ours/server.ts';
import type { PerSubscriberCommands } from '../reference/per-subscriber.ts';
import type { Figure, Row, RunOptions } from '../row.ts';
import { subscribeMessage } from '../sample-events.ts';
import { byTurns } from '../turns.ts';

const FOLLOWERS = 1_000;
/** Appends at once: what some brains and a busy client give. */
const WIDTH = 8;
/** Sockets opened at once. */
const OPENING = 50;

/** `seq` is last, so that the last event is told by the end of what has come. */
const QUERY = `subscription ($id: ID!, $after: Cursor) { sessionEvents(sessionId: $id, after: $after) { __typename
  ... on EventBatch { events { id at type ... on AgentMessage { callId text } seq } } ... on CaughtUp { cursor } } }`;

export const followers: Row = {
  name: 'followers',
  measures:
    'Live events of one session to 1,000 WebSocket subscribers, one event per append, 8 appends at once. Ours: the GraphQL ' +
    "door. Reference: graphql-ws's useServer over the same schema and journal, which executes for each subscriber.",
  run: (options) => withFolders((folder) => measureAll(options, folder)),
};

async function measureAll(
  { runs, quick, say }: RunOptions,
  folder: () => Promise<string>,
): Promise<readonly Figure[]> {
  const [followerCount, events] = quick ? [100, 100] : [FOLLOWERS, 200];
  const here = import.meta.dirname;
  const ours = await Child.start<ServerCommands>(join(here, '../ours/server.ts'), [await folder()]);
  const each = await Child.start<PerSubscriberCommands>(join(here, '../reference/per-subscriber.ts'), [
    await folder(),
  ]);
  try {
    const measureOf = async (server: Child<ServerCommands>): Promise<() => Promise<Measured>> => {
      const session = await server.ask('startRunning');
      const { graphql } = await server.ask('ports');
      return () => deliver(server, graphql, session, followerCount, events);
    };
    say(`${followerCount} followers, ${events} events`);
    const reference = await measureOf(each);
    const measured = await byTurns(runs, await measureOf(ours), reference);
    return [
      {
        label: `${followerCount.toLocaleString('en')} followers of one session`,
        unit: 'deliveries/s',
        ours: measured.ours.map(({ perSecond }) => perSecond),
        reference: measured.reference.map(({ perSecond }) => perSecond),
        goal: { kind: 'ratio', atLeast: 3 },
      },
      {
        label: 'the same, CPU of the server per delivery',
        unit: 'µs',
        ours: measured.ours.map(({ cpuMicros }) => cpuMicros),
        reference: measured.reference.map(({ cpuMicros }) => cpuMicros),
      },
    ];
  } finally {
    await ours.stop();
    await each.stop();
  }
}

interface Measured {
  readonly perSecond: number;
  readonly cpuMicros: number;
}

async function deliver(
  server: Child<ServerCommands>,
  port: number,
  session: RunningSession,
  followerCount: number,
  events: number,
): Promise<Measured> {
  const head = await server.ask('head', session);
  const variables = { id: session.sessionId, after: `${head}.${session.sessionId.slice(4, 12)}` };
  const request = subscribeMessage(QUERY, variables);
  const sockets: CountingSocket[] = [];
  while (sockets.length < followerCount) {
    const opening = Array.from({ length: OPENING }, () => joined(port, request));
    sockets.push(...(await Promise.all(opening)));
  }
  const cpuBefore = await server.cpuMicros();
  const from = performance.now();
  const arrivals = sockets.map((socket) => socket.sees(`"seq":${head + events}}`));
  await server.ask('publish', { session, count: events, width: WIDTH });
  await Promise.all(arrivals);
  const seconds = (performance.now() - from) / 1000;
  const cpuMicros = (await server.cpuMicros()) - cpuBefore;
  for (const socket of sockets) socket.close();
  const deliveries = events * sockets.length;
  return { perSecond: deliveries / seconds, cpuMicros: cpuMicros / deliveries };
}

/** A follower that is at the head. */
async function joined(port: number, request: string): Promise<CountingSocket> {
  const socket = await CountingSocket.openGraphql(port, KEY);
  const caughtUp = socket.sees('"CaughtUp"');
  socket.send(request);
  await caughtUp;
  return socket;
}
