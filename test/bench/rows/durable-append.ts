/**
 * Durable appends over HTTP with 50 in flight: the unit endpoint with all that it checks (token, epoch, key, body, lifecycle)
 * against the bare append server. Beside it, not judged: sendMessage by GraphQL.
 */
import { join } from 'node:path';
import { Child } from '../child.ts';
import { post, sendAll } from '../http-connection.ts';
import { KEY, type RunningSession } from '../ours/holdfast.ts';
import type { ServerCommands } from '../ours/server.ts';
import type { AppendServerCommands } from '../reference/append-server.ts';
import type { Figure, Row, RunOptions } from '../row.ts';
import { sampleEvent } from '../sample-events.ts';
import { byTurns, seconds } from '../turns.ts';
import { withFolders } from '../folders.ts';

const IN_FLIGHT = 50;

export const durableAppend: Row = {
  name: 'durable-append',
  measures:
    'One event per POST, 50 in flight, answered when it is on disk. Ours: POST /unit/append to the unit endpoint. ' +
    'Reference: node:http and node:sqlite, one commit per turn of the event loop, the same request body.',
  run: (options) => withFolders((folder) => measureAll(options, folder)),
};

async function measureAll(
  { runs, quick, say }: RunOptions,
  folder: () => Promise<string>,
): Promise<readonly Figure[]> {
  const requests = quick ? 2_000 : 10_000;
  const ours = await Child.start<ServerCommands>(join(import.meta.dirname, '../ours/server.ts'), [
    await folder(),
  ]);
  const bare = await Child.start<AppendServerCommands>(
    join(import.meta.dirname, '../reference/append-server.ts'),
    [await folder()],
  );
  try {
    const { unit, graphql } = await ours.ask('ports');
    const barePort = await bare.ask('port');
    const session = await ours.ask('startRunning');

    say(`${requests} appends, ${IN_FLIGHT} in flight`);
    const appends = await byTurns(
      runs,
      (run) => rate(ours, unit, appendRequests(session, run, requests)),
      (run) => rate(bare, barePort, appendRequests(session, run, requests)),
    );
    say('sendMessage over GraphQL');
    const sends: Measured[] = [];
    for (let run = 0; run <= runs; run += 1)
      sends.push(await rate(ours, graphql, sendRequests(session, requests / 2)));
    sends.shift(); // to warm up

    return [
      {
        label: 'durable append over HTTP, 50 in flight',
        unit: 'events/s',
        ours: appends.ours.map(({ perSecond }) => perSecond),
        reference: appends.reference.map(({ perSecond }) => perSecond),
        goal: { kind: 'ratio', atLeast: 0.8 },
      },
      {
        label: 'the same, CPU of the server per event',
        unit: 'µs',
        ours: appends.ours.map(({ cpuMicros }) => cpuMicros),
        reference: appends.reference.map(({ cpuMicros }) => cpuMicros),
      },
      {
        label: 'sendMessage over GraphQL, 50 in flight',
        unit: 'messages/s',
        ours: sends.map(({ perSecond }) => perSecond),
      },
    ];
  } finally {
    await ours.stop();
    await bare.stop();
  }
}

interface Measured {
  readonly perSecond: number;
  readonly cpuMicros: number;
}

async function rate(
  server: { cpuMicros(): Promise<number> },
  port: number,
  requests: readonly string[],
): Promise<Measured> {
  const before = await server.cpuMicros();
  const took = await seconds(() => sendAll(port, IN_FLIGHT, requests));
  const used = (await server.cpuMicros()) - before;
  return { perSecond: requests.length / took, cpuMicros: used / requests.length };
}

function appendRequests({ turnId, token }: RunningSession, run: number, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => {
    const { type, body } = sampleEvent(0, turnId);
    const command = { kind: 'record', events: [{ type, turnId, body }] };
    return post('/unit/append', token, JSON.stringify({ key: `run-${run}-${index}`, command }));
  });
}

/** STEER into a running turn: no message has to wait, so none is refused. */
function sendRequests({ sessionId }: RunningSession, count: number): readonly string[] {
  const query = `mutation ($input: SendMessageInput!) { sendMessage(input: $input) {
    __typename ... on SendMessagePayload { replayed } ... on Fault { code message } } }`;
  const text = 'Look at the last line of the file again, please, and say what you see there.';
  const body = JSON.stringify({ query, variables: { input: { sessionId, text, mode: 'STEER' } } });
  return Array.from({ length: count }, () => post('/graphql', KEY, body));
}
