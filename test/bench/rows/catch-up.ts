/** A subscriber that has missed 100,000 events: all of them over the subscription, against a bare `ws` server on the same file. */
import { join } from 'node:path';
import { Child } from '../child.ts';
import { CountingSocket } from '../counting-socket.ts';
import { withFolders } from '../folders.ts';
import { KEY, type RunningSession } from '../ours/holdfast.ts';
import type { ServerCommands } from '../ours/server.ts';
import type { LogServerCommands } from '../reference/log-server.ts';
import type { Figure, Goal, Row, RunOptions } from '../row.ts';
import { type Selection, sessionEventsQuery, subscribeMessage } from '../sample-events.ts';
import { byTurns } from '../turns.ts';

const END = '"CaughtUp"';
/** Handshakes differ by some headers; messages do not. */
const BYTES_APART_MAX = 1_000;

export const catchUp: Row = {
  name: 'catch-up',
  measures:
    'A log of 100,000 events (bodies of about 300 bytes, three types) to one WebSocket client that counts bytes. Ours: ' +
    'sessionEvents, typed fields of each type or the JSON body. Reference: a ws server that reads the same rows in pages of ' +
    '100 and puts the same bytes together as strings.',
  run: (options) => withFolders((folder) => measureAll(options, folder)),
};

async function measureAll(
  { runs, quick, say }: RunOptions,
  folder: () => Promise<string>,
): Promise<readonly Figure[]> {
  const count = quick ? 20_000 : 100_000;
  const here = import.meta.dirname;
  const data = await folder();
  const ours = await Child.start<ServerCommands>(join(here, '../ours/server.ts'), [data]);
  const bare = await Child.start<LogServerCommands>(join(here, '../reference/log-server.ts'), [
    join(data, 'holdfast.db'),
  ]);
  try {
    const session = await ours.ask('startRunning');
    say(`filling a log with ${count} events`);
    await ours.ask('fill', { session, count });
    const figures: Figure[] = [];
    for (const selection of ['typed', 'body'] as const) {
      say(`reading it: ${selection}`);
      const measured = await byTurns(
        runs,
        () => fromOurs(ours, session, selection),
        () => fromBare(bare, session, selection),
      );
      figures.push(...figuresOf(measured, selection, count));
    }
    return figures;
  } finally {
    await ours.stop();
    await bare.stop();
  }
}

interface Measured {
  readonly seconds: number;
  readonly cpuMicros: number;
  readonly bytes: number;
}

async function fromOurs(
  server: Child<ServerCommands>,
  { sessionId }: RunningSession,
  selection: Selection,
): Promise<Measured> {
  const { graphql } = await server.ask('ports');
  const socket = await CountingSocket.openGraphql(graphql, KEY);
  return receive(server, socket, subscribeMessage(sessionEventsQuery(selection), { id: sessionId }));
}

async function fromBare(
  server: Child<LogServerCommands>,
  { sessionId }: RunningSession,
  selection: Selection,
): Promise<Measured> {
  const socket = await CountingSocket.open(await server.ask('port'), '/');
  return receive(server, socket, JSON.stringify({ sessionId, after: 0, selection }));
}

async function receive(
  server: { cpuMicros(): Promise<number> },
  socket: CountingSocket,
  request: string,
): Promise<Measured> {
  const cpuBefore = await server.cpuMicros();
  const bytesBefore = socket.bytes;
  const from = performance.now();
  const ended = socket.sees(END);
  socket.send(request);
  await ended;
  const took = (performance.now() - from) / 1000;
  const bytes = socket.bytes - bytesBefore;
  socket.close();
  return { seconds: took, bytes, cpuMicros: (await server.cpuMicros()) - cpuBefore };
}

function figuresOf(
  { ours, reference }: { readonly ours: readonly Measured[]; readonly reference: readonly Measured[] },
  selection: Selection,
  count: number,
): readonly Figure[] {
  const apart = Math.abs((ours[0]?.bytes ?? 0) - (reference[0]?.bytes ?? 0));
  if (apart > BYTES_APART_MAX)
    throw new Error(`Ours and the reference differ by ${apart} bytes: not the same stream.`);
  const what = selection === 'typed' ? 'typed fields' : 'JSON body';
  const goal: Goal = { kind: 'ratio', atLeast: 0.5 };
  const rate = (measured: readonly Measured[]): readonly number[] => measured.map((it) => count / it.seconds);
  const cpu = (measured: readonly Measured[]): readonly number[] =>
    measured.map((it) => it.cpuMicros / count);
  return [
    {
      label: `catch-up of ${count.toLocaleString('en')} events, ${what}`,
      unit: 'events/s',
      ours: rate(ours),
      reference: rate(reference),
      goal,
    },
    {
      label: 'the same, CPU of the server per event',
      unit: 'µs',
      ours: cpu(ours),
      reference: cpu(reference),
    },
  ];
}
