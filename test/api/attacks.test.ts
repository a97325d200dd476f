/** What somebody sent to break the door, each with what it did before. */
import { EventEmitter, once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import {
  OPERATION_ID_BYTES_MAX,
  SEND_AHEAD_BYTES_MAX,
  SOCKET_BYTES_MAX,
} from '../../src/api/graphql/limits.ts';
import { Outgoing } from '../../src/api/graphql/outgoing.ts';
import { Outlet } from '../../src/api/graphql/outlet.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { PIPELINED_MAX } from '../../src/api/pipeline.ts';
import { type Answer, Door, ROOT_KEY } from '../support/door.ts';

let door: Door;
beforeEach(async () => {
  door = await Door.open();
});
afterEach(() => door.close());

/** Bytes as they are; answers all that comes back. */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(door.port, '127.0.0.1', () => socket.end(text));
    let answer = '';
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString();
    });
    socket.on('end', () => resolve(answer));
    socket.on('error', reject);
  });
}

describe('over HTTP', () => {
  it('a Host that is no host is refused, and no path of the server is shown', async () => {
    for (const host of ['[::', 'a b[]', 'u:p@h:99999']) {
      const answer = await raw(
        `POST /graphql HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
      );
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
      expect(answer).not.toMatch(/node_modules| at /);
    }
  });

  it('a row of requests that is sent without reading the answers ends its connection (proves PIPELINE-1)', async () => {
    const get = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n';
    const answers = async (count: number): Promise<number> =>
      ((await raw(get.repeat(count)).catch(() => '')).match(/HTTP\/1\.1 200/g) ?? []).length;

    expect(await answers(PIPELINED_MAX)).toBe(PIPELINED_MAX);
    expect(await answers(2_000)).toBeLessThanOrEqual(PIPELINED_MAX);
    expect(await answers(1)).toBe(1);
  });

  it('parameters that are no JSON are refused', async () => {
    for (const name of ['variables', 'extensions']) {
      const response = await fetch(`${door.url}?query={__typename}&${name}=%7B`, {
        headers: { authorization: `Bearer ${ROOT_KEY}` },
      });
      expect(response.status).toBe(400);
    }
  });

  it.each([
    '{}',
    '{"query":null}',
    '{"query":{}}',
    '{"query":"{}"}',
    '{"query":"query A { }"}',
    '{"query":"{ agents { } }"}',
    '{"query":"# nothing"}',
    '{"query":"fragment F on Query { __typename }"}',
    '{"query":"query A { __typename }","operationName":"B"}',
    '{"query":"query A { __typename } query B { __typename }"}',
    '{"variables":{}}',
  ])('a request that asks for nothing is none: %s', async (body) => {
    const headers = { authorization: `Bearer ${ROOT_KEY}`, 'content-type': 'application/json' };
    for (const accept of ['application/json', 'application/graphql-response+json']) {
      const response = await fetch(door.url, { method: 'POST', headers: { ...headers, accept }, body });
      const { errors, data }: Answer = await response.json();
      expect([response.status, data, typeof errors[0].extensions.code]).toEqual([400, undefined, 'string']);
    }
  });

  it('a GET that asks for nothing is none either', async () => {
    for (const search of [
      '',
      '?query=',
      '?query={}',
      '?variables={}',
      '?query=query A{__typename}&operationName=B',
    ]) {
      const response = await fetch(`${door.url}${search}`, {
        headers: { authorization: `Bearer ${ROOT_KEY}` },
      });
      expect(response.status).toBe(400);
    }
  });

  it('a number that JSON can write and no program can hold is called what it is', async () => {
    const agent = '{ name: "a", model: "rehearsal/echo", prompt: "p" }';
    await door.ask(`mutation { createAgent(input: ${agent}) { __typename } }`);
    const id = await door.session();
    const start = '{ agent: "a", input: "x", metadata: { a: [-1e999] } }';
    const send = `{ sessionId: "${id}", text: "x", raw: 1e999 }`;

    const answers = [
      (
        await door.ask(
          `mutation { startSession(input: ${start}) { __typename ... on Fault { code message } } }`,
        )
      ).startSession,
      (
        await door.ask(
          `mutation { sendMessage(input: ${send}) { __typename ... on Fault { code message } } }`,
        )
      ).sendMessage,
    ];

    for (const { code, message } of answers) {
      expect([code, message]).toEqual(['INVALID_INPUT', expect.stringMatching(/1\.8e308/)]);
    }
  });

  it('JSON that is nested too deep, and keys of half a character, are refused by name', async () => {
    const agent = '{ name: "a", model: "rehearsal/echo", prompt: "p" }';
    await door.ask(`mutation { createAgent(input: ${agent}) { __typename } }`);
    const start = `mutation ($metadata: JSON, $key: String) {
      startSession(input: { agent: "a", input: "x", metadata: $metadata }, idempotencyKey: $key) { __typename ... on Fault { code message } } }`;
    const deep = { a: JSON.parse('['.repeat(70) + ']'.repeat(70)) }; // of more levels the whole request is refused (JSON-1)

    const nested = await door.ask(start, { metadata: deep });
    expect(nested.startSession).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('levels'),
    });
    const half = await door.ask(start, { key: '\ud800' });
    expect(half.startSession).toMatchObject({ code: 'INVALID_INPUT' });
  });
});

describe('over a socket', () => {
  it('an operation with an id of a megabyte closes it, and the id comes back to nobody', async () => {
    const ws = new WebSocket(door.socketUrl, 'graphql-transport-ws');
    let bytes = 0;
    ws.on('message', (data: Buffer) => (bytes += data.length));
    const closed = new Promise<[number, string]>((resolve) => {
      ws.on('close', (code, reason) => resolve([code, reason.toString()]));
    });
    await once(ws, 'open');
    ws.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${ROOT_KEY}` } }));
    await once(ws, 'message');
    const payload = { query: '{ nonsense' };
    ws.send(JSON.stringify({ id: 'x'.repeat(OPERATION_ID_BYTES_MAX), type: 'subscribe', payload }));
    await once(ws, 'message');
    for (let count = 0; count < 2; count += 1) {
      ws.send(JSON.stringify({ id: '🙂'.repeat(250_000), type: 'subscribe', payload }));
    }

    expect(await closed).toEqual([
      4400,
      `The id of an operation has at most ${OPERATION_ID_BYTES_MAX} bytes.`,
    ]);
    expect(bytes).toBeLessThan(1_000);
  });

  it('a query for more whole bodies than fit into memory is too complex', async () => {
    const id = await door.session();
    const many = Array.from(
      { length: 50 },
      (_, n) => `a${n}: session(id: "${id}") { ... on Session { events(first: 50) { nodes { fullBody } } } }`,
    );
    await expect(door.ask(`{ ${many.join(' ')} }`)).rejects.toThrow('TOO_COMPLEX');
  });

  it('a client that asks and does not read is not listened to until it has, and is cut when it holds too much', () => {
    const calls: string[] = [];
    const socket = Object.assign(new EventEmitter(), {
      bytesWritten: 0,
      writableLength: 0,
      cork: () => undefined,
      uncork: () => undefined,
      write: () => true,
    });
    const ws = {
      OPEN: 1,
      readyState: 1,
      bufferedAmount: 0,
      pause: () => void calls.push('pause'),
      resume: () => void calls.push('resume'),
      terminate: () => void calls.push('terminate'),
    };
    const outgoing = new Outgoing({ logger: silentLogger });
    // The two faces of one socket, as far as an Outlet looks at them.
    const outlet = new Outlet(ws as unknown as WebSocket, socket as unknown as Socket, outgoing);

    outlet.holdUnread();
    expect(calls).toEqual([]);
    ws.bufferedAmount = SEND_AHEAD_BYTES_MAX;
    outlet.holdUnread();
    outlet.holdUnread();
    expect(calls).toEqual(['pause']);
    socket.emit('drain');
    expect(calls).toEqual(['pause', 'resume']);
    ws.bufferedAmount = SOCKET_BYTES_MAX + 1;
    outlet.send('more');
    expect(calls).toEqual(['pause', 'resume', 'terminate']);
    outgoing.close();
  });
});
