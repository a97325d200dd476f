/** Rows of requests on one connection, as Node's own parser hands them over. */
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Pipeline, PIPELINED_MAX } from '../../src/api/pipeline.ts';
import { eventually } from '../support/eventually.ts';

const WAITING_MAX = PIPELINED_MAX + 1;
const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';

let pipeline: Pipeline;
let server: Server;
let parsed: number;
let admitted: ServerResponse[];
let begun: ServerResponse[];
let clients: Socket[];
beforeEach(async () => {
  pipeline = new Pipeline(WAITING_MAX);
  [parsed, admitted, begun, clients] = [0, [], [], []];
  server = createServer((request, response) => {
    parsed += 1;
    if (pipeline.admits(request, response, () => begun.push(response))) admitted.push(response); // and nobody answers
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  for (const client of clients) client.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function sends(text: string): Socket {
  // as: it listens on a port
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => undefined); // it is ended with bytes of ours unread
  client.write(text);
  clients.push(client);
  return client;
}

describe('requests in a row', () => {
  it('what follows the one too many is not even parsed (proves PIPELINE-1)', async () => {
    await once(sends(GET.repeat(2_000)), 'close');

    expect([admitted.length, parsed]).toEqual([PIPELINED_MAX, PIPELINED_MAX + 1]);
  });

  it('as many as may wait wait, of all connections; one more ends its own connection only (proves PIPELINE-2)', async () => {
    const first = sends(GET.repeat(PIPELINED_MAX));
    await eventually('the first row waits', () => pipeline.waiting === PIPELINED_MAX - 1);

    await once(sends(GET.repeat(PIPELINED_MAX)), 'close');
    sends(GET);
    await eventually('a request by itself is let in', () => admitted.at(-1)?.req.socket.destroyed === false);

    expect(first.destroyed).toBe(false);
    expect(pipeline.waiting).toBe(PIPELINED_MAX - 1);
  });

  it('one begins when the answer before it is over (proves PIPELINE-3)', async () => {
    sends(GET.repeat(3));
    await eventually('all wait', () => pipeline.waiting === 2);
    for (const count of [1, 2, 3]) {
      expect(begun).toEqual(admitted.slice(0, count));
      begun.at(-1)?.end();
      if (count < 3) await eventually('the next has begun', () => begun.length === count + 1);
    }

    expect(pipeline.waiting).toBe(0);
  });

  it('what waits is forgotten when its connection closes', async () => {
    const client = sends(GET.repeat(PIPELINED_MAX));
    await eventually('all wait', () => pipeline.waiting === PIPELINED_MAX - 1);

    client.destroy();

    await eventually('nothing waits', () => pipeline.waiting === 0);
  });
});
