/** One body: what is held of it, and when it is refused. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type BodyOptions, RequestBody } from '../../src/api/request-body.ts';
import { eventually } from '../support/eventually.ts';

const server = createServer((request, response) => void answer(request, response));
let options: BodyOptions;
let grown: number[];
let held: RequestBody | undefined;
let clients: Socket[];

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  held = new RequestBody(request, options);
  try {
    response.end(`read ${(await held.read()).toString()}`);
  } catch (error) {
    response.end(`refused ${String(error)}`);
  }
}

beforeEach(async () => {
  options = { bytesMax: 1_000, onGrown: (bytes) => grown.push(bytes) };
  grown = [];
  clients = [];
  held = undefined;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  for (const client of clients) client.destroy();
  await new Promise((resolve) => server.close(resolve));
});

interface Client {
  readonly socket: Socket;
  said: string;
}

async function opened(headers: string): Promise<Client> {
  // as: it listens on a port
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const client: Client = { socket, said: '' };
  clients.push(socket);
  socket.on('data', (data: Buffer) => {
    client.said += data.toString();
  });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(`POST / HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n`);
  return client;
}
const says = (client: Client, text: string): Promise<true> =>
  eventually(`the answer "${text}"`, () => client.said.includes(text));
const CHUNKED = 'Transfer-Encoding: chunked';

it('in pieces of one byte it is held in at most twice its bytes (proves BODY-1)', async () => {
  options = { ...options, bytesMax: 20_000 };
  const client = await opened(CHUNKED);
  client.socket.write(`${'1\r\nx\r\n'.repeat(10_000)}0\r\n\r\n`);

  await says(client, 'read xxx');
  expect(client.said).toContain('x'.repeat(10_000));
  expect(grown.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThanOrEqual(20_000);
});

it('in more pieces than anybody sends it is refused (proves BODY-1)', async () => {
  options = { ...options, bytesMax: 100_000 };
  const client = await opened(CHUNKED);
  client.socket.write('1\r\nx\r\n'.repeat(32_769));

  await says(client, 'pieces');
});

it.each(['Content-Length: 1001', CHUNKED])('is refused when it is too large (%s)', async (headers) => {
  const client = await opened(headers);
  client.socket.write(headers === CHUNKED ? `3e9\r\n${'x'.repeat(1_001)}\r\n` : 'x');

  await says(client, 'at most 1000 bytes');
});

it('is refused when nothing more of it comes (proves BODY-2)', async () => {
  options = { ...options, stallMs: 50 };
  const client = await opened('Content-Length: 10');
  client.socket.write('x');

  await says(client, 'Nothing more of the body came');
  await eventually('its connection has ended', () => client.socket.closed);
});

it('of one that is refused no more is read than as much again (proves BODY-2)', async () => {
  const client = await opened(CHUNKED);
  client.socket.write(`3e9\r\n${'x'.repeat(1_001)}\r\n`);
  await says(client, 'at most 1000 bytes');
  client.socket.write(`3e9\r\n${'x'.repeat(1_001)}\r\n`);

  await eventually('its connection has ended', () => client.socket.closed);
});

it('a connection whose request was refused and then came to its end takes another', async () => {
  const client = await opened('Content-Length: 1001');
  client.socket.write('x'.repeat(1_001));
  await says(client, 'at most 1000 bytes');
  client.socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi');

  await says(client, 'read hi');
});

it('is over when its client goes away', async () => {
  const client = await opened('Content-Length: 10');
  await eventually('the request', () => held !== undefined);
  const read = held?.read().catch(String);
  client.socket.destroy();

  expect(await read).toContain('ended before');
});
