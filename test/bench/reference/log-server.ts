/**
 * The bare server of catch-up and resume: reads the rows that ours wrote, from the same file, in pages, and sends them by `ws`
 * as the same messages, made by putting strings together: no GraphQL, no checks, no parsing. `log-server.ts <database>`
 *
 * It is asked `{"sessionId", "after", "selection"}` and sends everything after that, then a message like our CaughtUp.
 */
import { createServer } from 'node:http';
import { DatabaseSync } from 'node:sqlite';
import { type WebSocket, WebSocketServer } from 'ws';
import { eventIdOf, type SessionId } from '../../../src/kernel/id.ts';
import { answerParent } from '../child.ts';
import { listen } from '../listen.ts';
import type { Selection } from '../sample-events.ts';

const PAGE_EVENTS = 100;
/** As far as a page may be ahead of the client: waiting for each write would cost more than the write. */
const AHEAD_BYTES_MAX = 1024 * 1024;

const database = new DatabaseSync(process.argv[2] ?? '', { readOnly: true });
const keyOf = database.prepare('SELECT key FROM session WHERE id = ?');
const page = database.prepare(
  'SELECT seq, at, type, body FROM event WHERE session = ? AND seq > ? AND seq <= ? ORDER BY seq',
);
page.setReturnArrays(true);
type PageRow = readonly [seq: number, at: number, type: string, body: string];

interface Request {
  readonly sessionId: SessionId;
  readonly after: number;
  readonly selection: Selection;
}

const server = createServer();
new WebSocketServer({ server }).on('connection', (socket) => {
  socket.on('message', (data: Buffer) => void answer(socket, JSON.parse(data.toString()) as Request)); // the bench sent it
});
const port = await listen(server);

const commands = { port: async () => port };
export type LogServerCommands = typeof commands;

answerParent(commands, () => database.close());

async function answer(socket: WebSocket, { sessionId, after, selection }: Request): Promise<void> {
  const key = keyOf.get(sessionId)?.['key'] ?? 0;
  const check = sessionId.slice(4, 12);
  let seq = after;
  for (;;) {
    // setReturnArrays was called; the columns are those of the statement.
    const rows = page.all(key, seq, seq + PAGE_EVENTS) as unknown as readonly PageRow[];
    if (rows.length === 0) break;
    seq = rows.at(-1)?.[0] ?? seq;
    const events = rows.map((row) => eventText(sessionId, row, selection)).join(',');
    const cursor = `${seq}.${check}`;
    socket.send(next(`{"__typename":"EventBatch","events":[${events}],"cursor":"${cursor}"}`));
    if (socket.bufferedAmount > AHEAD_BYTES_MAX) await drained(socket);
  }
  socket.send(next(`{"__typename":"CaughtUp","cursor":"${seq}.${check}"}`));
}

function eventText(sessionId: SessionId, [seq, at, type, body]: PageRow, selection: Selection): string {
  const fields = selection === 'typed' ? body.slice(1) : `"body":${body}}`;
  return `{"id":"${eventIdOf(sessionId, seq)}","seq":${seq},"at":"${new Date(at).toISOString()}","type":"${type}",${fields}`;
}

function next(frame: string): string {
  return `{"id":"1","type":"next","payload":{"data":{"sessionEvents":${frame}}}}`;
}

async function drained(socket: WebSocket): Promise<void> {
  while (socket.bufferedAmount > AHEAD_BYTES_MAX / 2 && socket.readyState === socket.OPEN)
    await new Promise(setImmediate);
}
