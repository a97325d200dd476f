/** What somebody sent to break the door, each with what it did before. */
import { EventEmitter } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { SEND_AHEAD_BYTES_MAX, SOCKET_BYTES_MAX } from '../../src/api/graphql/limits.ts';
import { Outgoing } from '../../src/api/graphql/outgoing.ts';
import { Outlet } from '../../src/api/graphql/outlet.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { Door, ROOT_KEY } from '../support/door.ts';

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

  it('parameters that are no JSON are refused', async () => {
    for (const name of ['variables', 'extensions']) {
      const response = await fetch(`${door.url}?query={__typename}&${name}=%7B`, {
        headers: { authorization: `Bearer ${ROOT_KEY}` },
      });
      expect(response.status).toBe(400);
    }
  });

  it('JSON that is nested too deep, and keys of half a character, are refused by name', async () => {
    const agent = '{ name: "a", model: "rehearsal/echo", prompt: "p" }';
    await door.ask(`mutation { createAgent(input: ${agent}) { __typename } }`);
    const start = `mutation ($metadata: JSON, $key: String) {
      startSession(input: { agent: "a", input: "x", metadata: $metadata }, idempotencyKey: $key) { __typename ... on Fault { code message } } }`;
    const deep = { a: JSON.parse('['.repeat(3_000) + ']'.repeat(3_000)) };

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

    outlet.holdInput();
    expect(calls).toEqual([]);
    ws.bufferedAmount = SEND_AHEAD_BYTES_MAX;
    outlet.holdInput();
    outlet.holdInput();
    expect(calls).toEqual(['pause']);
    socket.emit('drain');
    expect(calls).toEqual(['pause', 'resume']);
    ws.bufferedAmount = SOCKET_BYTES_MAX + 1;
    outlet.send('more');
    expect(calls).toEqual(['pause', 'resume', 'terminate']);
    outgoing.close();
  });
});
