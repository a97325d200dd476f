/** A client that comes back near the end of a long log: it must not matter how long the log is. */
import { join } from 'node:path';
import { Child } from '../child.ts';
import { withFolders } from '../folders.ts';
import { KEY, type RunningSession } from '../ours/holdfast.ts';
import type { ServerCommands } from '../ours/server.ts';
import { ReadingSocket } from '../reading-socket.ts';
import type { LogServerCommands } from '../reference/log-server.ts';
import type { Figure, Row, RunOptions } from '../row.ts';
import { sessionEventsQuery, subscribeMessage } from '../sample-events.ts';

const LENGTHS = [10_000, 100_000, 1_000_000];
const LENGTHS_QUICK = [1_000, 10_000];
/** Events that the client has missed. */
const MISSED = 50;
/** A resume takes a moment: more of them than of other runs. */
export const RESUMES_PER_RUN = 4;
export const SERVER = join(import.meta.dirname, '../ours/server.ts');

/** A log of so many events. */
interface Filled {
  readonly length: number;
  readonly session: RunningSession;
}

export const resume: Row = {
  name: 'resume',
  measures:
    'From subscribe with a cursor 50 events before the end to the first event, on an open socket; the first of each length ' +
    'is the first that the server is asked after its start. Reference: the bare ws server on the same file.',
  run: (options) => withFolders((folder) => measureAll(options, folder)),
};

async function measureAll(
  { runs, quick, say }: RunOptions,
  folder: () => Promise<string>,
): Promise<readonly Figure[]> {
  const lengths = quick ? LENGTHS_QUICK : LENGTHS;
  const here = import.meta.dirname;
  const data = await folder();
  const filled = await fillLogs([data], lengths, say);
  const ours = await Child.start<ServerCommands>(SERVER, [data]);
  const bare = await Child.start<LogServerCommands>(join(here, '../reference/log-server.ts'), [
    join(data, 'holdfast.db'),
  ]);
  try {
    const { graphql } = await ours.ask('ports');
    const barePort = await bare.ask('port');
    const figures: Figure[] = [];
    for (const { length, session } of filled) {
      const figure: { ours: number[]; reference: number[] } = { ours: [], reference: [] };
      for (let run = 0; run < runs * RESUMES_PER_RUN; run += 1) {
        figure.ours.push(await resumeOurs(graphql, session, length));
        figure.reference.push(await resumeBare(barePort, session, length));
      }
      const label = `resume near the end of ${length.toLocaleString('en')} events`;
      figures.push({ label, unit: 'ms', ...figure, goal: { kind: 'figure', atMost: 100 } });
    }
    return figures;
  } finally {
    await ours.stop();
    await bare.stop();
  }
}

/** By a process of its own, so that the one that is measured has seen nothing of them. */
export async function fillLogs(
  args: readonly string[],
  lengths: readonly number[],
  say: RunOptions['say'],
): Promise<readonly Filled[]> {
  const filled: Filled[] = [];
  const filling = await Child.start<ServerCommands>(SERVER, args);
  try {
    for (const length of lengths) {
      say(`filling a log with ${length.toLocaleString('en')} events`);
      const session = await filling.ask('startRunning');
      await filling.ask('fill', { session, count: length - session.head });
      filled.push({ length, session });
    }
  } finally {
    await filling.stop();
  }
  return filled;
}

export async function resumeOurs(
  port: number,
  { sessionId }: RunningSession,
  length: number,
): Promise<number> {
  const socket = await ReadingSocket.openGraphql(port, KEY);
  const after = `${length - MISSED}.${sessionId.slice(4, 12)}`;
  return first(
    socket,
    subscribeMessage(sessionEventsQuery('typed'), { id: sessionId, after }),
    length - MISSED + 1,
  );
}

async function resumeBare(port: number, { sessionId }: RunningSession, length: number): Promise<number> {
  const socket = await ReadingSocket.open(`ws://127.0.0.1:${port}`);
  return first(
    socket,
    JSON.stringify({ sessionId, after: length - MISSED, selection: 'typed' }),
    length - MISSED + 1,
  );
}

async function first(socket: ReadingSocket, request: string, seq: number): Promise<number> {
  const arrival = socket.message((text) => text.includes(`"seq":${seq},`));
  const from = performance.now();
  socket.send(request);
  const took = (await arrival) - from;
  await socket.close();
  return took;
}
