/** Connections: how many, how long they may say nothing, and what a socket may do before it has said who it is. */
import { connect, type Socket } from 'node:net';
import { afterEach, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { PING_INTERVAL_MS } from '../../src/api/graphql/limits.ts';
import { Door, ROOT_KEY, textOf } from '../support/door.ts';
import { eventually } from '../support/eventually.ts';

const MIB = 1024 * 1024;
let door: Door;
const open: Socket[] = [];
const sockets: WebSocket[] = [];
afterEach(async () => {
  for (const socket of open.splice(0)) socket.destroy();
  for (const socket of sockets.splice(0)) socket.terminate();
  await door.close();
});

interface Connection {
  readonly socket: Socket;
  readonly state: { ended: boolean; text: string };
}

/** A connection that says nothing, and never ends its side. */
async function connection(): Promise<Connection> {
  const socket = connect({ port: door.port, host: '127.0.0.1', allowHalfOpen: true });
  open.push(socket);
  const state = { ended: false, text: '' };
  socket.on('data', (data) => (state.text += data.toString()));
  socket.on('end', () => (state.ended = true));
  socket.on('close', () => (state.ended = true));
  socket.on('error', () => (state.ended = true));
  await new Promise((resolve) => socket.once('connect', resolve).once('error', resolve));
  return { socket, state };
}

async function isServed(): Promise<boolean> {
  const one = await connection();
  one.socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  await eventually('an answer, or none', () => one.state.ended || one.state.text.includes('ok'));
  one.socket.destroy();
  return one.state.text.includes('200 OK');
}

it('one that says nothing is closed after a while, and so is one that does not finish what it says', async () => {
  door = await Door.open({ greetingMs: 300 });
  const silent = await connection();
  const slow = await connection();
  slow.socket.write('POST /graphql HTTP/1.1\r\nHost: x\r\nX-A: ');

  await eventually('both are closed', () => silent.state.ended && slow.state.ended);
  expect(await isServed()).toBe(true);
});

it('more than there may be are closed at once, which is logged once, until there is room (proves CONNECTIONS-1)', async () => {
  door = await Door.open({ connectionsMax: 10, greetingMs: 2_000 });
  const first: Connection[] = [];
  for (let at = 0; at < 10; at += 1) first.push(await connection());
  const more = await Promise.all(Array.from({ length: 20 }, () => connection()));

  await eventually('they are closed', () => more.every(({ state }) => state.ended));
  expect(first.every(({ state }) => !state.ended)).toBe(true);
  expect(door.logs.match(/connections are refused/g)).toHaveLength(1);
  await eventually('the silent ones are closed', () => first.every(({ state }) => state.ended));
  for (const { socket } of first) socket.destroy();
  await eventually('others are served', isServed);
});

async function asked(one: Connection): Promise<void> {
  one.state.text = '';
  one.socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  await eventually('an answer', () => one.state.text.includes('ok'));
}

it('those that have waited longest for a next request make room when few are left, and none in use (proves CONNECTIONS-1)', async () => {
  door = await Door.open({ connectionsMax: 10, greetingMs: 60_000 });
  const inUse = await connection();
  const idle: Connection[] = [];
  for (let at = 0; at < 7; at += 1) {
    const one = await connection();
    await asked(one);
    idle.push(one);
  }
  const crowd: Connection[] = [];
  await eventually('the crowd has its place', async () => {
    await asked(inUse);
    const one = await connection();
    if (!one.state.ended) crowd.push(one);
    return idle.every(({ state }) => state.ended);
  });

  expect(inUse.state.ended).toBe(false);
  await asked(inUse);
  for (const { socket } of crowd) socket.destroy();
  await eventually('others are served', isServed);
});

it('an upgrade that is refused is closed, whatever its client does', async () => {
  door = await Door.open({ connectionsMax: 10 });
  const upgrade = 'GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
  for (let at = 0; at < 30; at += 1) {
    const one = await connection();
    one.socket.write(upgrade);
    await eventually('its refusal', () => one.state.ended);
  }
  expect(await isServed()).toBe(true);
});

/** A socket with the first messages that it sends, and what it gets. */
async function socketOf(...messages: readonly string[]): Promise<{
  readonly socket: WebSocket;
  readonly received: string[];
  readonly closed: () => number | undefined;
}> {
  const socket = new WebSocket(door.socketUrl, 'graphql-transport-ws');
  sockets.push(socket);
  const received: string[] = [];
  let code: number | undefined;
  socket.on('error', () => undefined);
  socket.on('message', (data) => received.push(textOf(data)));
  socket.on('pong', () => received.push('a pong of the transport'));
  socket.on('close', (given) => (code = given));
  await new Promise((resolve) => socket.once('open', resolve));
  for (const message of messages) socket.send(message);
  return { socket, received, closed: () => code };
}

const PING = '{"type":"ping","payload":{"at":1}}';
const INIT = JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${ROOT_KEY}` } });

it('pings before connection_init are not answered, and keep no socket open', async () => {
  door = await Door.open();
  const { socket, received, closed } = await socketOf(PING, PING);
  socket.ping('x');
  const pinging = setInterval(() => socket.ping('x'), 200);
  await eventually('it is closed', () => closed() !== undefined);
  clearInterval(pinging);

  expect(closed()).toBe(4408);
  expect(received).toEqual([]);
});

it.each([
  ['many', Array.from({ length: 9 }, () => PING)],
  ['a long one', [`{"type":"pong","payload":{"x":"${'x'.repeat(100_000)}"}}`]],
])('%s before connection_init end the socket', async (_what, messages) => {
  door = await Door.open();
  const { received, closed } = await socketOf(...messages);
  await eventually('it is closed', () => closed() !== undefined);

  expect([closed(), received]).toEqual([4401, []]);
});

it('pings after connection_init are answered, without what is long of them', async () => {
  door = await Door.open();
  const { socket, received } = await socketOf(INIT);
  await eventually('the acknowledgement', () => received.length === 1);
  socket.send(PING);
  socket.send(`{"type":"ping","payload":{"x":"${'x'.repeat(100_000)}"}}`);
  socket.ping('x');
  await eventually('three answers', () => received.length === 4);

  expect(received.slice(1).toSorted()).toEqual([
    'a pong of the transport',
    '{"type":"pong","payload":{"at":1}}',
    '{"type":"pong"}',
  ]);
});

it('pings of a client that does not read their answers fill nothing', async () => {
  door = await Door.open();
  const { socket, received } = await socketOf(INIT);
  await eventually('the acknowledgement', () => received.length === 1);
  socket.pause();
  const load = 'x'.repeat(120);
  let most = 0;
  for (let round = 0; round < 200; round += 1) {
    for (let at = 0; at < 500; at += 1) socket.ping(load);
    await new Promise((resolve) => setImmediate(resolve));
    most = Math.max(most, door.graphql.outgoing.held);
  }
  expect(most).toBeLessThan(3 * MIB);
});

it('sockets are pinged one after the other, in slices: thousands of them are no one piece of work (proves SLICE-1)', async () => {
  vi.useFakeTimers({ toFake: ['setInterval'] });
  try {
    door = await Door.open();
    const { socket } = await socketOf(INIT);
    const { socket: other } = await socketOf(INIT);
    await eventually('both are open', () => door.graphql.held.sockets === 2);
    const pinged = [socket, other].map((one) => new Promise((resolve) => one.once('ping', resolve)));
    const run = vi.spyOn(door.graphql.slices, 'run');
    vi.advanceTimersByTime(PING_INTERVAL_MS);
    const begun = run.mock.calls.length;
    await Promise.all(pinged);

    expect(begun).toBe(2);
  } finally {
    vi.useRealTimers();
  }
});
