/**
 * The bare server of appends: node:http and a BareLog. It takes the same POST as our unit endpoint, parses it, writes the body
 * of its event, answers the seq after the commit, and sends the event to whoever is connected by WebSocket, as one message
 * of the shape that our subscription sends. `append-server.ts <folder>`
 */
import { createServer, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { WebSocketServer } from 'ws';
import type { NewEvent } from '../../../src/journal/event.ts';
import { answerParent } from '../child.ts';
import { listen } from '../listen.ts';
import { BareLog } from './bare-log.ts';

const log = new BareLog(join(process.argv[2] ?? '', 'bare.db'));
const cursorTail = '.0123abcd';
let seq = 0;

const server = createServer((request, response) => {
  void (async () => {
    const { command } = JSON.parse(await text(request)) as { command: { events: readonly [NewEvent] } }; // the bench sent it
    const [{ type, turnId = '', body: value }] = command.events;
    seq += 1;
    const own = seq;
    const at = Date.now();
    const body = JSON.stringify(value);
    await log.append({
      session: 1,
      seq: own,
      at,
      type,
      level: 'user',
      turn: turnId,
      actor: '{"kind":"agent"}',
      body,
    });
    for (const socket of sockets.clients) socket.send(message(own, at, type, body));
    const answer = `{"firstSeq":${own},"lastSeq":${own},"replayed":false}`;
    response
      .writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length })
      .end(answer);
  })();
});
const sockets = new WebSocketServer({ server });
const port = await listen(server);

const commands = { port: async () => port };
export type AppendServerCommands = typeof commands;

answerParent(commands, () => log.close());

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function message(own: number, at: number, type: string, body: string): string {
  const id = `evt_0123456789abc${own.toString(16).padStart(11, '0')}`;
  const event = `{"id":"${id}","seq":${own},"at":"${new Date(at).toISOString()}","type":"${type}",${body.slice(1)}`;
  return (
    '{"id":"1","type":"next","payload":{"data":{"sessionEvents":{"__typename":"EventBatch",' +
    `"events":[${event}],"cursor":"${own}${cursorTail}"}}}}`
  );
}
