/**
 * Keys that nobody has: thousands of them beside one that is right, and in every form. WRONG=50000 for more of them; what it costs is printed
 * then, and nothing is asserted of it but bounds that no noise reaches.
 */
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { Door, ROOT_KEY } from '../support/door.ts';

const WRONG = Number(process.env['WRONG'] ?? 5_000);
/** At once, each on a connection of its own. */
const SENDERS = 64;
/** What the heap may differ by: the connections, code that was compiled meanwhile. 50,000 keys of 40 bytes would be some MB. */
const HEAP_BYTES_MAX = 8 * 1024 ** 2;

let door: Door;
beforeAll(async () => {
  door = await Door.open();
});
afterAll(() => door.close());

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

function heapBytes(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

async function statusOf(agent: Agent, authorization: string): Promise<number> {
  const body = '{"query":"{ agents { nodes { id } } }"}';
  const headers = { 'content-type': 'application/json', 'content-length': body.length, authorization };
  const sent = request({ port: door.port, path: '/graphql', method: 'POST', agent, headers });
  sent.end(body);
  const [response] = await once(sent, 'response');
  response.resume();
  await once(response, 'end');
  return response.statusCode;
}

async function flood(count: number): Promise<ReadonlySet<number>> {
  const agent = new Agent({ keepAlive: true, maxSockets: SENDERS });
  const statuses = new Set<number>();
  let left = count;
  const send = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      statuses.add(await statusOf(agent, `Bearer hf_${left.toString().padStart(32, 'x')}`));
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, send));
  agent.destroy();
  return statuses;
}

it(
  `proves WRONG-2: ${WRONG} wrong keys are refused, leave nothing behind, and lock nobody out`,
  async () => {
    await flood(1_000); // code and connections are there from now on
    const before = heapBytes();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const waits: number[] = [];
    const over = new AbortController();
    const wrong = flood(WRONG).finally(() => over.abort());
    while (!over.signal.aborted) {
      const start = performance.now();
      expect(await statusOf(agent, `Bearer ${ROOT_KEY}`)).toBe(200);
      waits.push(performance.now() - start);
    }
    agent.destroy();

    expect([...(await wrong)]).toEqual([401]);
    const grown = heapBytes() - before;
    expect(grown).toBeLessThan(HEAP_BYTES_MAX);
    expect(door.logs).not.toMatch(/"level":"(warn|error)"/);
    const p99 = waits.toSorted((left, right) => left - right)[Math.floor(waits.length * 0.99)] ?? 0;
    if (process.env['WRONG'] !== undefined)
      process.stdout.write(
        `${WRONG} wrong keys: heap ${Math.round(grown / 1024)} KiB more; ${waits.length} right ones beside, p99 ${p99.toFixed(1)} ms\n`,
      );
  },
  Math.max(60_000, WRONG * 5),
);

describe('a key in a form that none has', () => {
  it.each([
    ['long', 'x'.repeat(10_000)],
    ['a long token', `hct_${'x'.repeat(10_000)}.x`],
    ['a token without a signature', 'hct_e30'],
    ['a token of dots', `hct_${'.'.repeat(500)}`],
    ['bytes that are no ASCII', 'schl\u00fcssel-\u00ff\u00fe'],
    ['a prefix alone', 'hf_'],
  ])('is unknown: %s', async (_what, key) => {
    const { status, body } = await door.post('{ __typename }', {}, key);

    expect([status, body.errors[0].extensions.code]).toEqual([401, 'UNAUTHENTICATED']);
  });

  it.each([
    '\0',
    `${ROOT_KEY}\0`,
    '\ud800',
    '\u{1f511}'.repeat(100),
    'x'.repeat(1_000_000),
    `${ROOT_KEY} `.repeat(2),
  ])('is unknown over a socket too, where it may be any text (%#)', async (key) => {
    const socket = new WebSocket(door.socketUrl, 'graphql-transport-ws');
    await once(socket, 'open');
    socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${key}` } }));
    const [code] = await once(socket, 'close');

    expect(code).toBe(4401);
  });

  it.each([
    ['NUL', `Authorization: Bearer ${ROOT_KEY}\0\r\n`, 400],
    ['a line of its own', 'Authorization: Bearer a\r\n b\r\n', 400],
    ['more header than a server reads', `Authorization: Bearer ${'x'.repeat(100_000)}\r\n`, 431],
    [
      'two headers, a wrong one first',
      `Authorization: Bearer wrong\r\nAuthorization: Bearer ${ROOT_KEY}\r\n`,
      401,
    ],
    ['a thousand headers', 'Authorization: Bearer x\r\n'.repeat(500), 401],
    ['two in one', `Authorization: Bearer wrong, Bearer ${ROOT_KEY}\r\n`, 401],
  ])('is answered as what it is, sent by hand: %s', async (_what, header, status) => {
    const client = connect(door.port, '127.0.0.1');
    let text = '';
    client.on('data', (data) => (text += String(data)));
    client.on('error', () => undefined); // it may be cut while it still sends
    client.write(
      `GET /graphql?query=%7B__typename%7D HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${header}\r\n`,
    );
    await once(client, 'close');

    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(text).not.toContain(ROOT_KEY);
  });
});

it('no key is in the log, also when the store that knows them fails in the middle', async () => {
  const authenticate = door.access.authenticate.bind(door.access);
  door.access.authenticate = () => Promise.reject(new Error('a defect while a key is looked up'));
  const { status, body } = await door.post('{ __typename }');
  const socket = new WebSocket(door.socketUrl, 'graphql-transport-ws');
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${ROOT_KEY}` } }));
  const [code] = await once(socket, 'close');
  door.access.authenticate = authenticate;

  expect([status, body.errors[0].extensions.code, code]).toEqual([500, 'INTERNAL', 4500]);
  expect(door.logs).toContain('a defect while a key is looked up');
  expect(door.logs).not.toContain(ROOT_KEY);
  expect(door.logs).not.toMatch(/bearer/i);
});
