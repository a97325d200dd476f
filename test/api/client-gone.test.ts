/** Clients that go in the middle of a request: what was held for them is given back. */
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { Door, ROOT_KEY, said } from '../support/door.ts';
import { eventually } from '../support/eventually.ts';

let door: Door;
let gate: PromiseWithResolvers<void>;
/** Who has come to the gate, and who has left it. */
let came: number;
let left: number;
beforeEach(async () => {
  door = await Door.open();
  gate = Promise.withResolvers();
  [came, left] = [0, 0];
});
afterEach(async () => {
  gate.resolve();
  await door.close();
});

/** Every `call` waits until the gate opens. */
function gated<A extends unknown[], R>(call: (...args: A) => Promise<R>): (...args: A) => Promise<R> {
  return async (...args) => {
    came += 1;
    await gate.promise;
    try {
      return await call(...args);
    } finally {
      left += 1;
    }
  };
}

async function asking(
  accept: string,
  requests: number,
  query = '{ agents { nodes { id } } }',
): Promise<Socket> {
  const body = JSON.stringify({ query });
  const socket = connect(door.port, '127.0.0.1');
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('connect', resolve));
  const request = `POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ROOT_KEY}\r\nAccept: ${accept}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  socket.write(request.repeat(requests));
  return socket;
}

it.each(['application/json', 'text/event-stream'])(
  'while its key is looked up (%s): no operation is left under way (proves OPERATIONS-1)',
  async (accept) => {
    door.access.authenticate = gated(door.access.authenticate.bind(door.access));
    const sockets = await Promise.all(Array.from({ length: 5 }, () => asking(accept, 1)));
    await eventually('all are looked up', () => came === 5);
    for (const socket of sockets) socket.destroy();
    await eventually('the server knows', () => door.graphql.outgoing.readers === 0);
    gate.resolve();
    await eventually('all were looked up', () => left === 5);
    await door.post('{ agents { nodes { id } } }'); // later than what comes of them

    await eventually('none is left', () => door.graphql.held.operations === 0);
  },
);

it('while others of its connection are answered first: neither operations nor readers are left', async () => {
  door.agents.list = gated(door.agents.list.bind(door.agents));
  const socket = await asking('application/json', 8); // the first has begun, the others wait in the row (PIPELINE-3)
  await eventually('one is under way', () => door.graphql.held.operations === 1);
  socket.destroy();
  await eventually('none is left', () => door.graphql.held.operations === 0);
  await eventually('no reader is left', () => door.graphql.outgoing.readers === 0);
});

async function opened(): Promise<WebSocket> {
  const socket = new WebSocket(door.socketUrl, 'graphql-transport-ws');
  await new Promise((resolve) => socket.once('open', resolve));
  socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${ROOT_KEY}` } }));
  await new Promise((resolve) => socket.once('message', resolve));
  return socket;
}

it.each([
  ['a query', 'query { agents { nodes { id } } }'],
  ['a subscription', 'subscription { sessionEvents(sessionId: "$id") { __typename } }'],
])('on a socket while its key is looked up again: %s is not left under way', async (_what, query) => {
  const id = await door.session();
  const readmit = door.access.readmit.bind(door.access);
  const socket = await opened();
  door.access.readmit = gated(readmit);
  for (let at = 0; at < 5; at += 1) {
    const payload = { query: query.replaceAll('$id', id) };
    socket.send(JSON.stringify({ id: `${at}`, type: 'subscribe', payload }));
  }
  await eventually('all are looked up', () => came === 5);
  socket.terminate();
  await eventually('the server knows', () => door.graphql.held.sockets === 0);
  gate.resolve();
  await eventually('all were looked up', () => left === 5);
  door.access.readmit = readmit;
  await door.post('{ agents { nodes { id } } }'); // later than what comes of them

  await eventually(
    'none is left',
    () => door.graphql.held.operations === 0 && door.graphql.held.groups === 0,
  );
  await eventually('nobody reads the log', () => door.readers() === 0);
});

it('while its frame waits to be made: it is not made', async () => {
  const id = await door.session();
  await door.beginTurn(id);
  await door.record(id, said('x'.repeat(200_000)));
  const { journal } = door.store;
  journal.readBody = gated(journal.readBody.bind(journal));
  const query = `subscription { sessionEvents(sessionId: "${id}", filter: { types: ["agent.message"] }) { ... on EventBatch { events { fullBody } } } }`;
  const follow = async (): Promise<WebSocket> => {
    const socket = await opened();
    socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
    return socket;
  };
  const busy = await Promise.all(Array.from({ length: 8 }, follow));
  await eventually('as many are made as may be', () => came === 8);
  const behind = await Promise.all([follow(), follow()]);
  await eventually('they wait behind them', () => door.graphql.held.operations === 10);
  await new Promise((resolve) => setImmediate(resolve));
  for (const socket of behind) socket.terminate();
  await eventually('the server knows', () => door.graphql.held.sockets === 8);
  gate.resolve();
  await eventually('the others have theirs', () => left === 8 && door.graphql.held.groups === 1);

  expect(came).toBe(8);
  for (const socket of busy) socket.terminate();
  await eventually('none is left', () => door.graphql.held.operations === 0);
});

it('while its operations are let in: none of a socket that has closed begins (proves TURNS-2)', async () => {
  const socket = await opened();
  const query = `subscription { sessionEvents(sessionId: "${await door.session()}") { __typename } }`;
  const begun = vi.spyOn(door.sessions, 'get');
  const readmit = door.access.readmit.bind(door.access);
  door.access.readmit = gated(readmit);
  for (let at = 0; at < 60; at += 1) {
    socket.send(JSON.stringify({ id: `s${at}`, type: 'subscribe', payload: { query } }));
  }
  await eventually('all have had their turn', () => came === 60);
  socket.terminate();
  await eventually('the socket has closed', () => door.graphql.held.sockets === 0);
  gate.resolve();
  await eventually('all were looked up', () => left === 60);
  door.access.readmit = readmit;
  await door.post('{ agents { nodes { id } } }'); // later than what comes of them

  await eventually('none is left', () => door.graphql.held.operations === 0);
  expect(begun).not.toHaveBeenCalled();
  expect(door.graphql.held.groups).toBe(0);
});
