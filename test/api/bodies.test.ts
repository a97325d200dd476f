/** Bodies of requests over HTTP: what they may hold, how they may come, and what their JSON may be. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { REQUEST_DEPTH_MAX, REQUEST_VALUES_MAX } from '../../src/kernel/limit.ts';
import { type Answer, Door, type DoorOptions, ROOT_KEY } from '../support/door.ts';
import { eventually } from '../support/eventually.ts';

let door: Door;
const clients: Socket[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await eventually('no operation is left', () => door.graphql.held.operations === 0);
  await door.close();
});

interface Client {
  readonly socket: Socket;
  said: string;
}

async function posting(headers: Readonly<Record<string, string>>, bearer = ROOT_KEY): Promise<Client> {
  const socket = connect(door.port, '127.0.0.1');
  clients.push(socket);
  const client: Client = { socket, said: '' };
  socket.on('error', () => undefined);
  socket.on('data', (data: Buffer) => {
    client.said += data.toString();
  });
  await once(socket, 'connect');
  const all = {
    host: 'x',
    authorization: `Bearer ${bearer}`,
    'content-type': 'application/json',
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`POST /graphql HTTP/1.1\r\n${lines.join('')}\r\n`);
  return client;
}
const CHUNKED = { 'transfer-encoding': 'chunked' };
const owing = (bearer?: string): Promise<Client> => posting({ 'content-length': '1000' }, bearer);
const says = (client: Client, text: string): Promise<true> =>
  eventually(`the answer "${text}"`, () => client.said.includes(text));
const ends = ({ socket }: Client): Promise<true> =>
  eventually('the connection has ended', () => socket.closed);

/** Bytes of memory that something still points to. */
function held(): number {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect === 'function') collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

async function tokenOf(options: DoorOptions): Promise<string> {
  door = await Door.open(options);
  return (await door.access.mintClientToken(door, await door.session())).token;
}

describe('a body', () => {
  it('in pieces of one byte costs no more memory than in one', async () => {
    door = await Door.open();
    await door.post('{ __typename }');
    const client = await posting(CHUNKED);
    const before = held();
    client.socket.write('1\r\n \r\n'.repeat(30_000));
    await eventually('all of it is sent', () => client.socket.writableLength === 0);
    await door.post('{ __typename }');

    expect(held() - before).toBeLessThan(4 * 1024 * 1024); // as a list of pieces 12 MB
    const rest = '{"query":"{ __typename }"}';
    client.socket.write(`${rest.length.toString(16)}\r\n${rest}\r\n0\r\n\r\n`);
    await says(client, '{"data":{"__typename":"Query"}}');
  });

  it.each([
    ['application/json', '{"query":"{ __typename }"}'],
    ['application/json; charset=utf-8', '{"query":"{ __typename }","variables":{"a":"é😀"}}'],
    ['application/graphql+json', '{"query":"{ __typename }"}'],
    ['application/graphql', '{ __typename }'],
    ['application/x-www-form-urlencoded', 'query=%7B__typename%7D&variables=%7B%7D'],
  ])('of type %s is read, also byte by byte', async (type, body) => {
    door = await Door.open();
    const client = await posting({ ...CHUNKED, 'content-type': type });
    for (const byte of Buffer.from(body)) {
      client.socket.write(Buffer.concat([Buffer.from('1\r\n'), Buffer.of(byte), Buffer.from('\r\n')]));
    }
    client.socket.write('0\r\n\r\n');

    await says(client, '{"data":{"__typename":"Query"}}');
  });

  it('is not waited for when the key is unknown: the connection ends', async () => {
    door = await Door.open();
    const client = await owing('nobody');

    await says(client, 'HTTP/1.1 401');
    await ends(client);
  });

  it('of a type that is none of ours is not read either', async () => {
    door = await Door.open();
    const client = await posting({ 'content-length': '1000', 'content-type': 'text/plain' });

    await says(client, 'HTTP/1.1 415');
    await ends(client);
  });

  it('that does not come is no operation, and keeps out nobody (proves BODIES-2)', async () => {
    const token = await tokenOf({ operations: { client: 3 }, bodies: { stallMs: 30_000 } });
    const [first, ...others] = [await owing(token), await owing(token), await owing(token)];
    await eventually(
      'their heads',
      async () => (await door.post('{ __typename }', {}, token)).status === 200,
    );
    await eventually('a fourth ends the oldest', async () => {
      if (first.said === '') await door.post('{ __typename }', {}, token);
      return first.said.includes('HTTP/1.1 429') && first.said.includes('TOO_MANY_OPERATIONS');
    });
    expect(first.said.toLowerCase()).toContain('retry-after: 1');
    await ends(first);

    expect(door.graphql.held.operations).toBe(0);
    expect(others.map(({ said }) => said)).toEqual(['', '']);
  });

  it('of which nothing more comes is ended (proves BODIES-2)', async () => {
    door = await Door.open({ bodies: { stallMs: 50 } });
    const client = await owing();
    client.socket.write('{"query"');

    await says(client, 'HTTP/1.1 408');
    expect(client.said).toContain('REQUEST_TIMEOUT');
    await ends(client);
  });

  it('is refused while all hold as much as they may, and taken again after (proves BODIES-1)', async () => {
    door = await Door.open({ bodies: { bytes: 10_000 } });
    const query = `{ __typename } # ${'x'.repeat(6_000)}`;
    const owed = [await owing(), await owing()];
    for (const { socket } of owed) socket.write(' ');
    await eventually('a refusal', async () => {
      const response = await fetch(door.url, {
        method: 'POST',
        headers: { authorization: `Bearer ${ROOT_KEY}`, 'content-type': 'application/json' },
        body: JSON.stringify({ query }),
      });
      const { errors }: Answer = await response.json();
      return (
        response.status === 503 &&
        response.headers.get('retry-after') === '1' &&
        errors[0].extensions.code === 'UNAVAILABLE'
      );
    });
    for (const { socket } of owed) socket.destroy();

    await eventually('room again', async () => (await door.post(query)).status === 200);
    for (let n = 0; n < 10; n += 1) expect((await door.post(query)).status).toBe(200);
  });

  it("over an owner's share ends that owner's oldest; others are served (proves BODIES-1)", async () => {
    const token = await tokenOf({ bodies: { ownerBytes: 10_000 } });
    const owed = [await owing(token), await owing(token)];
    for (const { socket } of owed) socket.write(' ');
    const third = await owing(token);
    third.socket.write(' ');

    await eventually('one is refused', () =>
      [...owed, third].some(({ said }) => said.includes('HTTP/1.1 429') && said.includes('bytes of bodies')),
    );
    expect((await door.post('{ __typename }')).status).toBe(200);
  });
});

describe('JSON of a request (proves JSON-1)', () => {
  const deep = '['.repeat(REQUEST_DEPTH_MAX + 1) + ']'.repeat(REQUEST_DEPTH_MAX + 1);
  const many = `[${Array(REQUEST_VALUES_MAX).fill('{}').join()}]`;
  const list = [
    ['TOO_DEEP', deep],
    ['TOO_MANY_VALUES', many],
  ] as const;

  it.each(list)('that is too much is refused over POST, in every place: %s', async (code, json) => {
    door = await Door.open();
    const bodies = {
      'application/json': [
        `{"query":"{ __typename }","variables":{"a":${json}}}`,
        `{"query":"{ __typename }","extensions":{"a":${json}}}`,
        json,
      ],
      'application/x-www-form-urlencoded': [`query={__typename}&variables=${json}`, `extensions=${json}`],
    };
    for (const [type, texts] of Object.entries(bodies)) {
      for (const body of texts) {
        const headers = { authorization: `Bearer ${ROOT_KEY}`, 'content-type': type };
        const response = await fetch(door.url, { method: 'POST', headers, body });
        const { errors }: Answer = await response.json();
        expect([response.status, errors[0].extensions.code]).toEqual([400, code]);
      }
    }
  });

  it('that is too deep is refused over GET', async () => {
    door = await Door.open();
    const response = await fetch(`${door.url}?query={__typename}&variables=${deep}`, {
      headers: { authorization: `Bearer ${ROOT_KEY}` },
    });
    expect([response.status, (await response.json()).errors[0].extensions.code]).toEqual([400, 'TOO_DEEP']);
  });

  it.each(list)('that is too much closes a socket: %s', async (_code, json) => {
    door = await Door.open();
    const socket = new WebSocket(door.socketUrl, 'graphql-transport-ws');
    socket.on('error', () => undefined);
    await once(socket, 'open');
    socket.send(
      JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${ROOT_KEY}` } }),
    );
    await once(socket, 'message');
    const closed = new Promise((resolve) =>
      socket.once('close', (code, reason) => resolve(`${code} ${reason.toString()}`)),
    );
    socket.send(`{"type":"ping","payload":{"a":${json}}}`);

    expect(await closed).toMatch(/^4400 expected JSON of at most [0-9]+ (levels|values)\.$/);
  });

  it('that is as much as may be is read', async () => {
    door = await Door.open();
    const variables = { a: Array(REQUEST_VALUES_MAX - 10).fill(1) };
    expect((await door.post('{ __typename }', variables)).status).toBe(200);
  });

  it('a form of many parameters is none', async () => {
    door = await Door.open();
    const headers = {
      authorization: `Bearer ${ROOT_KEY}`,
      'content-type': 'application/x-www-form-urlencoded',
    };
    const response = await fetch(door.url, { method: 'POST', headers, body: 'a&'.repeat(100_000) });
    expect([response.status, (await response.json()).errors[0].extensions.code]).toEqual([
      400,
      'BAD_REQUEST',
    ]);
  });
});
