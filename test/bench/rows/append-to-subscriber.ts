/** How long from the POST of an append until a WebSocket subscriber has the event, one at a time; both ends in this process. */
import { join } from 'node:path';
import { Child } from '../child.ts';
import { withFolders } from '../folders.ts';
import { HttpConnection, post } from '../http-connection.ts';
import { KEY } from '../ours/holdfast.ts';
import type { ServerCommands } from '../ours/server.ts';
import { ReadingSocket } from '../reading-socket.ts';
import type { AppendServerCommands } from '../reference/append-server.ts';
import type { Figure, Row, RunOptions } from '../row.ts';
import { sampleEvent, sessionEventsQuery, subscribeMessage } from '../sample-events.ts';
import { median } from '../statistics.ts';
import { byTurns } from '../turns.ts';

export const appendToSubscriber: Row = {
  name: 'append-to-subscriber',
  measures:
    'From the POST of an event until a subscriber has it, on disk before that; each run is the p50 of some hundred events. ' +
    'Ours: POST /unit/append, then sessionEvents over graphql-transport-ws. Reference: node:http, one FULL commit, ws.send.',
  run: (options) => withFolders((folder) => measureAll(options, folder)),
};

async function measureAll(
  { runs, quick, say }: RunOptions,
  folder: () => Promise<string>,
): Promise<readonly Figure[]> {
  const events = quick ? 100 : 500;
  const here = import.meta.dirname;
  const ours = await Child.start<ServerCommands>(join(here, '../ours/server.ts'), [await folder()]);
  const bare = await Child.start<AppendServerCommands>(join(here, '../reference/append-server.ts'), [
    await folder(),
  ]);
  try {
    const { unit, graphql } = await ours.ask('ports');
    const session = await ours.ask('startRunning');
    const { sessionId, turnId, token } = session;
    const subscriber = await ReadingSocket.openGraphql(graphql, KEY);
    const caughtUp = subscriber.message((text) => text.includes('CaughtUp'));
    subscriber.send(subscribeMessage(sessionEventsQuery('typed'), { id: sessionId }));
    await caughtUp;
    const barePort = await bare.ask('port');
    const bareSubscriber = await ReadingSocket.open(`ws://127.0.0.1:${barePort}`);
    const door = await HttpConnection.open(unit);
    const bareDoor = await HttpConnection.open(barePort);

    const { type, body } = sampleEvent(0, turnId);
    const command = { kind: 'record', events: [{ type, turnId, body }] };
    const request = (key: string): string => post('/unit/append', token, JSON.stringify({ key, command }));
    const measure = async (to: HttpConnection, reader: ReadingSocket, run: number): Promise<number> => {
      const waits: number[] = [];
      for (let index = 0; index < events; index += 1) {
        const arrival = reader.message((text) => text.includes('"EventBatch"'));
        const from = performance.now();
        await to.send(request(`run-${run}-${index}`));
        waits.push((await arrival) - from);
      }
      return median(waits);
    };
    say(`${events} events, one after the other`);
    const measured = await byTurns(
      runs,
      (run) => measure(door, subscriber, run),
      (run) => measure(bareDoor, bareSubscriber, run),
    );
    door.close();
    bareDoor.close();
    await subscriber.close();
    await bareSubscriber.close();
    return [
      { label: 'append to subscriber, p50', unit: 'ms', ...measured, goal: { kind: 'ratio', atMost: 2 } },
    ];
  } finally {
    await ours.stop();
    await bare.stop();
  }
}
