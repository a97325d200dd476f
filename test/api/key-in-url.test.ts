/** Keys and tokens in the address of a request. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type Answer, Door, ROOT_KEY } from '../support/door.ts';

let door: Door;
beforeAll(async () => {
  door = await Door.open();
});
afterAll(() => door.close());

const SECRET = 'hf_THE-KEY-THAT-WAS-IN-AN-ADDRESS';
const QUERY = 'query=%7B__typename%7D';
const WITH_KEY = [
  `key=${SECRET}`,
  `api_key=${SECRET}`,
  `apiKey=${SECRET}`,
  `access_token=${SECRET}`,
  `accessToken=${SECRET}`,
  `token=${SECRET}`,
  `authorization=Bearer%20${SECRET}`,
  `Authorization=Bearer+${SECRET}`,
  `t=${SECRET}`,
  `x=hct_abc.def`,
  `x=Bearer%20hut_abc`,
  `%6bey=${SECRET}`,
  `${QUERY}&bearer=${SECRET}`,
  `a=1&&=&token=${SECRET}`,
  // encoded more than once, in names and in values
  `t=${encoded(SECRET.replace('_', '%5F'), 1)}`,
  `t=${encoded(`Bearer ${SECRET}`, 3)}`,
  `%256bey=${SECRET}`,
  encoded(`token=${SECRET}`, 1),
  encoded(`token=${SECRET}`, 3),
  encoded('api_key=sk-ant-of-another-service', 2),
  // an address within the address
  `next=${encoded(`https://example.com/?a=1&token=${SECRET}`, 1)}`,
  `next=${encoded(`https://example.com/?access_token=of-another-service`, 2)}`,
  `next=${encoded(`/${SECRET}`, 1)}`,
  `state=${encoded('nothing, in more layers than anybody adds', 12)}`,
];

function encoded(text: string, times: number): string {
  return times === 0 ? text : encoded(encodeURIComponent(text), times - 1);
}

describe('a key in an address', () => {
  it.each(WITH_KEY)(
    'proves URL-1: is refused over HTTP, whatever else is right, with where it belongs: %s',
    async (query) => {
      for (const [method, headers] of [
        ['POST', { authorization: `Bearer ${ROOT_KEY}` }],
        ['GET', { authorization: `Bearer ${ROOT_KEY}` }],
        ['GET', { accept: 'text/html' }],
        ['POST', {}],
      ] as const) {
        const body = method === 'POST' ? '{"query":"{ __typename }"}' : null;
        const init = { method, headers: { 'content-type': 'application/json', ...headers }, body };
        const response = await fetch(`${door.url}?${query}`, init);
        const text = await response.text();

        const [error]: Answer = JSON.parse(text).errors;
        expect(response.status).toBe(400);
        expect(error.extensions.code).toBe('KEY_IN_URL');
        expect(error.message).toContain('Authorization: Bearer');
        expect(text).not.toContain(SECRET);
      }
      expect(door.logs).not.toContain(SECRET);
    },
  );

  it.each(WITH_KEY)('proves URL-1: is refused at an upgrade: %s', async (query) => {
    const socket = new WebSocket(`${door.socketUrl}?${query}`, 'graphql-transport-ws');
    socket.on('error', () => undefined); // that it was no upgrade
    socket.once('open', () => socket.emit('unexpected-response', undefined, { statusCode: 101 }));
    const [request, response]: Answer = await once(socket, 'unexpected-response');
    expect(response.statusCode).toBe(400);
    const [data] = await once(response, 'data');
    request.destroy();

    expect(JSON.parse(String(data)).errors[0].extensions.code).toBe('KEY_IN_URL');
    expect(door.logs).not.toContain(SECRET);
  });

  it('as user info becomes a header that is no bearer, and is not logged', async () => {
    const basic = Buffer.from(`${SECRET}:`).toString('base64');
    const { status, body } = await door.post('{ __typename }', {}, null, { authorization: `Basic ${basic}` });

    expect([status, body.errors[0].extensions.code]).toEqual([401, 'UNAUTHENTICATED']);
    expect(body.errors[0].message).toContain('Authorization: Bearer');
    expect(door.logs).not.toContain(basic);
  });

  it.each([
    `/graphql/${SECRET}`,
    `/${SECRET}?token=${SECRET}`,
    `http://${SECRET}@localhost/graphql`,
    `/healthz?key=${SECRET}`,
    `/graphql?key=%zz${SECRET}`,
  ])('elsewhere in it opens nothing and is not logged: %s', async (target) => {
    const client = connect(door.port, '127.0.0.1');
    client.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    let text = '';
    client.on('data', (data) => (text += String(data)));
    await once(client, 'close');

    expect(text).toMatch(/^HTTP\/1\.1 (200|400|404) /);
    expect(text).not.toContain(SECRET);
    expect(door.logs).not.toContain(SECRET);
  });
});

it.each([
  `${QUERY}&variables=%7B%22key%22%3A%22hf_x%22%7D`,
  `${QUERY}&operationName=`,
  `query=query%20hf_name%7B__typename%7D`,
  `query=%7B__typename%7D&key=`,
  `${QUERY}&extensions=%7B%7D`,
  `${QUERY}&variables=${encodeURIComponent(JSON.stringify({ text: 'a%2526token%253Dhf_x' }))}`,
  `${QUERY}&utm=half_hf_x&next=${encoded('https://example.com/?a=1&b=100%', 3)}`,
  `${QUERY}&a=%zz&b=1+1%2B1&&=&c`,
])('an address without one is read: %s', async (query) => {
  const response = await fetch(`${door.url}?${query}`, { headers: { authorization: `Bearer ${ROOT_KEY}` } });

  expect(response.status).toBe(200);
});
