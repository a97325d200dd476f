/** What the door refuses as a whole, the same over HTTP and over a socket; and what else the server answers. */
import { request } from 'node:http';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { cursorOf } from '../../src/journal/cursor.ts';
import { Outage } from '../../src/kernel/outage.ts';
import { type Answer, Door, ROOT_KEY, said, textOf } from '../support/door.ts';
import { eventually } from '../support/eventually.ts';

let door: Door;
beforeAll(async () => {
  door = await Door.open({ origins: ['https://app.example'] });
});
afterAll(() => door.close());

const DEEP = '{ agents { nodes { id } } '.concat(
  'x: __type(name: "Query") { fields { type { ofType { ofType { ofType { ofType { ofType { ofType { ofType { ofType { ofType { ofType { ofType { ofType { ofType { ofType { name } } } } } } } } } } } } } } } } } }',
);
const ALIASES = `{ ${Array.from({ length: 51 }, (_, at) => `a${at}: agents { nodes { id } }`).join(' ')} }`;
const LARGE_PAGES = '{ sessions(first: 500) { nodes { turns(first: 500) { nodes { id } } } } }';
const TOKENS = `{ agents { nodes { ${'id '.repeat(2_100)} } } }`;

const REFUSED = [
  ['too deep', DEEP, 'TOO_DEEP'],
  ['too many aliases', ALIASES, 'TOO_MANY_ALIASES'],
  ['too complex', LARGE_PAGES, 'TOO_COMPLEX'],
  ['too many tokens', TOKENS, 'GRAPHQL_PARSE_FAILED'],
  ['not GraphQL', '{ agents', 'GRAPHQL_PARSE_FAILED'],
  ['not of this schema', '{ agentz { id } }', 'GRAPHQL_VALIDATION_FAILED'],
] as const;

describe('a document that is', () => {
  it.each(REFUSED)('%s is refused over HTTP with 400', async (_what, query, code) => {
    const { status, body } = await door.post(query);

    expect([status, body.errors[0].extensions.code]).toEqual([400, code]);
    expect(body.errors[0].message).not.toContain('Did you mean');
  });

  it.each(REFUSED)('%s is refused over a socket', async (_what, query, code) => {
    const errors = await overSocket(query);

    expect(errors).toMatchObject([{ extensions: { code } }]);
    expect(errors[0].message).not.toContain('Did you mean');
    expect(errors[0].extensions.http).toBeUndefined();
  });
});

describe('a caller', () => {
  it.each([
    ['without a key', null],
    ['with an unknown key', 'no-such-key-0123456789'],
    ['with a token of its own making', 'hct_e30.AAAA'],
  ])('%s gets 401 over HTTP and 4401 over a socket, whatever it asks', async (_what, bearer) => {
    const { status, body } = await door.post('{ nonsense', {}, bearer);
    const closed = await closedWith(bearer === null ? {} : { authorization: `Bearer ${bearer}` });

    expect([status, body.errors[0].extensions.code]).toEqual([401, 'UNAUTHENTICATED']);
    expect(closed.code).toBe(4401);
  });

  it('may give its key with the upgrade', async () => {
    const socket = new WebSocket(door.socketUrl, 'graphql-transport-ws', {
      headers: { authorization: `Bearer ${ROOT_KEY}` },
    });
    socket.once('open', () => socket.send('{"type":"connection_init"}'));
    const first = await new Promise((resolve) => socket.once('message', (data) => resolve(textOf(data))));
    socket.terminate();

    expect(first).toBe('{"type":"connection_ack"}');
  });

  it('with a body over the limit gets 413, also when it does not say how long it is', async () => {
    const large = JSON.stringify({ query: `{ agents { nodes { id } } } # ${'x'.repeat(2.1 * 1024 * 1024)}` });
    const told = await fetch(door.url, { method: 'POST', headers: headersOf(), body: large });
    const untold = await new Promise<number | undefined>((resolve, reject) => {
      const sending = request(
        door.url,
        { method: 'POST', headers: { ...headersOf(), 'transfer-encoding': 'chunked' } },
        (res) => {
          res.resume();
          resolve(res.statusCode);
        },
      );
      sending.on('error', reject);
      sending.end(large);
    });

    expect([told.status, untold]).toEqual([413, 413]);
  });

  it('with a message over the limit on a socket is closed with 1009', async () => {
    const socket = await opened();
    const closed = new Promise<number>((resolve) => socket.once('close', resolve));
    socket.send('x'.repeat(2 * 1024 * 1024 + 1));

    expect(await closed).toBe(1009);
  });

  it('without preflight, by a form of another page, is refused', async () => {
    const response = await fetch(door.url, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'query={agents{nodes{id}}}',
    });

    expect([401, 403]).toContain(response.status);
  });

  it('from an origin that is not on the list cannot open a socket; one that is, can', async () => {
    const refused = await new Promise((resolve) => {
      new WebSocket(door.socketUrl, 'graphql-transport-ws', { origin: 'https://evil.example' }).on(
        'error',
        (error) => resolve(error.message),
      );
    });
    const socket = new WebSocket(door.socketUrl, 'graphql-transport-ws', { origin: 'https://app.example' });
    await new Promise((resolve) => socket.once('open', resolve));
    socket.terminate();

    expect(refused).toContain('403');
  });

  it('ACCESS-1: with a root key that was replaced meanwhile ends the socket at its next operation', async () => {
    const socket = await opened();
    const closed = new Promise<number>((resolve) => socket.once('close', resolve));
    await door.access.ensureKey('another-root-key-0000');

    socket.send(
      JSON.stringify({ type: 'subscribe', id: '1', payload: { query: '{ agents { nodes { id } } }' } }),
    );

    expect(await closed).toBe(4403);
    await door.access.ensureKey(ROOT_KEY);
  });

  it('with too many operations on one socket is refused the rest', async () => {
    const id = await door.session();
    const socket = await opened();
    const answers: Answer[] = [];
    socket.on('message', (data) => answers.push(JSON.parse(textOf(data))));
    const query = `subscription { sessionEvents(sessionId: "${id}") { ... on CaughtUp { cursor } } }`;
    for (let at = 0; at <= 100; at += 1)
      socket.send(JSON.stringify({ type: 'subscribe', id: String(at), payload: { query } }));
    await eventually('a refusal', () => answers.some(({ type }) => type === 'error'));
    socket.terminate();

    expect(answers.filter(({ type }) => type === 'error')).toMatchObject([
      { id: '100', payload: [{ extensions: { code: 'TOO_MANY_OPERATIONS' } }] },
    ]);
  });

  it('that speaks no protocol of ours is closed', async () => {
    const socket = new WebSocket(door.socketUrl);
    const code = await new Promise((resolve) => socket.once('close', resolve));

    expect(code).toBe(4406);
  });
});

describe('a defect', () => {
  it('is masked, and its cause is in the log under the request id', async () => {
    const { list } = door.sessions;
    door.sessions.list = () => Promise.reject(new Error('the disk of /secret/path is on fire'));
    const { status, body } = await door.post('{ sessions { nodes { id } } }');
    const [error] = await overSocket('{ sessions { nodes { id } } }');
    door.sessions.list = list;

    expect(status).toBe(500);
    expect(body.errors[0].extensions.code).toBe('INTERNAL');
    expect(error.extensions.code).toBe('INTERNAL');
    expect(JSON.stringify([body, error])).not.toContain('secret');
    expect(door.logs).toContain('the disk of /secret/path is on fire');
    for (const { extensions } of [body.errors[0], error]) expect(door.logs).toContain(extensions.requestId);
  });
});

describe('an outage', () => {
  it('is UNAVAILABLE with the time to try again, over HTTP and over a socket, and logged with its cause', async () => {
    const { list } = door.sessions;
    const outage = new Outage('SQLITE_FULL', 'The disk is full.', new Error('at page 7'));
    door.sessions.list = () => Promise.reject(outage);
    const response = await fetch(door.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${ROOT_KEY}` },
      body: JSON.stringify({ query: '{ sessions { nodes { id } } }' }),
    });
    const body = (await response.json()) as { errors: { message: string; extensions: object }[] };
    const [error] = await overSocket('{ sessions { nodes { id } } }');
    door.sessions.list = list;

    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    for (const told of [body.errors[0], error]) {
      expect(told).toMatchObject({
        message: 'The disk is full.',
        extensions: { code: 'UNAVAILABLE', retryAfterMs: 1_000 },
      });
    }
    expect(door.logs).toContain('at page 7');
  });

  it('of the store that knows the keys is no refusal of a key, over HTTP and over a socket', async () => {
    const authenticate = door.access.authenticate.bind(door.access);
    door.access.authenticate = () =>
      Promise.reject(new Outage('TIMEOUT', 'The database does not answer.', undefined));
    const response = await fetch(door.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${ROOT_KEY}` },
      body: JSON.stringify({ query: '{ sessions { nodes { id } } }' }),
    });
    const body = await response.text();
    const socket = new WebSocket(door.url.replace('http', 'ws'), 'graphql-transport-ws');
    const closed = await new Promise<{ code: number; reason: string }>((resolve) => {
      socket.addEventListener('open', () =>
        socket.send(
          JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${ROOT_KEY}` } }),
        ),
      );
      socket.addEventListener('close', ({ code, reason }) => resolve({ code, reason }));
    });
    door.access.authenticate = authenticate;

    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    expect(JSON.parse(body)).toMatchObject({
      errors: [{ extensions: { code: 'UNAVAILABLE', retryAfterMs: 1_000 } }],
    });
    expect(body).not.toContain('"http"');
    expect([closed.code, closed.reason]).toEqual([1013, 'The database does not answer.']);
  });

  it('is why /readyz says no', async () => {
    const readyz = async () => {
      const response = await fetch(new URL('/readyz', door.url));
      return [response.status, await response.text()];
    };
    expect(await readyz()).toEqual([200, 'ready\n']);

    door.obstacle = new Outage('DISK_FULL', 'The disk is full.');
    expect(await readyz()).toEqual([503, 'not ready: The disk is full.\n']);
    door.obstacle = new Error('of /secret/path');
    expect(await readyz()).toEqual([503, 'not ready: a part of the server failed\n']);
    door.obstacle = undefined;
  });
});

describe('the server', () => {
  it('answers /healthz, /readyz and /, and 404 in JSON for the rest', async () => {
    const get = async (path: string) => {
      const response = await fetch(new URL(path, door.url));
      return [response.status, response.headers.get('content-type'), await response.text()];
    };

    expect((await get('/healthz'))[0]).toBe(200);
    expect((await get('/readyz'))[0]).toBe(200);
    expect(await get('/')).toEqual([
      200,
      expect.stringContaining('text/plain'),
      expect.stringContaining('POST /graphql'),
    ]);
    expect(await get('/nothing')).toEqual([404, 'application/json', expect.stringContaining('NOT_FOUND')]);
  });

  it('shows GraphiQL to a browser, without any other host', async () => {
    const response = await fetch(door.url, { headers: { accept: 'text/html' } });
    const page = await response.text();

    expect([response.status, response.headers.get('content-type')]).toEqual([
      200,
      'text/html; charset=utf-8',
    ]);
    expect(page).not.toMatch(/<script[^>]+src=|<link[^>]+href="https?:/);
  });

  it('answers a preflight of any origin, since no cookie is read', async () => {
    const open = await Door.open();
    const response = await fetch(open.url, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://any.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization',
      },
    });
    await open.close();

    expect([response.status, response.headers.get('access-control-allow-origin')]).toEqual([
      204,
      'https://any.example',
    ]);
    expect(response.headers.get('access-control-allow-credentials')).not.toBe('true');
  });

  it('can refuse introspection on both transports, and the console', async () => {
    const closed = await Door.open({ introspection: false, console: false });
    const query = '{ __schema { types { name } } }';
    const http = await closed.post(query);
    const [socket] = await overSocket(query, closed);
    const page = await fetch(closed.url, {
      headers: { accept: 'text/html', authorization: `Bearer ${ROOT_KEY}` },
    });
    await closed.close();

    expect(http.body.errors[0].extensions.code).toBe('GRAPHQL_VALIDATION_FAILED');
    expect(socket.extensions.code).toBe('GRAPHQL_VALIDATION_FAILED');
    expect(page.status).toBe(406);
    expect((await door.post(query)).body.data.__schema.types.length).toBeGreaterThan(50);
  });

  it('follows a session over SSE, and lets go of it when the client does', async () => {
    const id = await door.session();
    const query = `subscription { sessionEvents(sessionId: "${id}", deltas: true) { __typename
      ... on EventBatch { cursor events { seq } } ... on CaughtUp { cursor } ... on MessageDelta { text } } }`;
    const abort = new AbortController();
    const response = await fetch(door.url, {
      method: 'POST',
      headers: { ...headersOf(), accept: 'text/event-stream' },
      body: JSON.stringify({ query }),
      signal: abort.signal,
    });
    let text = '';
    const reading = (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of response.body ?? []) text += decoder.decode(chunk);
    })().catch(() => undefined); // the abort below
    await eventually('the end of history', () => text.includes('CaughtUp'));
    await door.beginTurn(id);
    door.live.delta(id, { callId: 'call-1', offset: 0, text: 'Hel' });
    await eventually('a piece', () => text.includes('Hel'));
    await door.record(id, said('Hello'));
    await eventually('the event', () => text.includes(cursorOf(id, 4)));
    expect(door.readers([id])).toBe(1);

    abort.abort();
    await reading;

    await eventually('no reader', () => door.readers([id]) === 0);
  });

  it('ends a subscription over SSE when its client token ends', async () => {
    const id = await door.session();
    const { token } = await door.access.mintClientToken(door, id);
    const { authenticate } = door.access;
    door.access.authenticate = async (bearer) =>
      ({ ...(await authenticate.call(door.access, bearer)), expiresAt: Date.now() + 50 }) as never; // a token about to end
    const response = await fetch(door.url, {
      method: 'POST',
      headers: { ...headersOf(), authorization: `Bearer ${token}`, accept: 'text/event-stream' },
      body: JSON.stringify({ query: `subscription { sessionEvents(sessionId: "${id}") { __typename } }` }),
    });
    door.access.authenticate = authenticate;

    const text = await response.text();

    expect(text).toContain('EventBatch');
    expect(text).toContain('event: complete');
    await eventually('no reader', () => door.readers([id]) === 0);
  });

  it('tells sockets to come back when it closes', async () => {
    const closing = await Door.open();
    const socket = await opened(closing);
    const closed = new Promise<number>((resolve) => socket.once('close', resolve));
    await closing.close();

    expect(await closed).toBe(1001);
  });

  it('ends a socket when its client token ends', async () => {
    const id = await door.session();
    const { mintClientToken } = door.access;
    const { authenticate } = door.access;
    door.access.authenticate = async (bearer) =>
      ({ ...(await authenticate.call(door.access, bearer)), expiresAt: Date.now() + 1 }) as never; // a token about to end
    const { token } = await mintClientToken.call(door.access, door, id);
    const closed = await closedWith({ authorization: `Bearer ${token}` });
    door.access.authenticate = authenticate;

    expect(closed).toEqual({ code: 4401, reason: 'The client token has expired.' });
  });
});

function headersOf(): Record<string, string> {
  return { 'content-type': 'application/json', authorization: `Bearer ${ROOT_KEY}` };
}

/** The errors of an operation over a socket, whether it was refused or executed. */
async function overSocket(query: string, at: Door = door): Promise<Answer[]> {
  const client = createClient({
    url: at.socketUrl,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${ROOT_KEY}` },
    retryAttempts: 0,
  });
  const errors = await new Promise<Answer[]>((resolve, reject) => {
    client.subscribe(
      { query },
      {
        next: (result) => resolve([...(result.errors ?? [])]),
        error: (error) => (Array.isArray(error) ? resolve(error) : reject(error)),
        complete: () => undefined,
      },
    );
  });
  await client.dispose();
  return errors;
}

async function opened(at: Door = door): Promise<WebSocket> {
  const socket = new WebSocket(at.socketUrl, 'graphql-transport-ws');
  await new Promise((resolve) => socket.once('open', resolve));
  socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${ROOT_KEY}` } }));
  await new Promise((resolve) => socket.once('message', resolve));
  return socket;
}

async function closedWith(payload: object): Promise<{ code: number; reason: string }> {
  const socket = new WebSocket(door.socketUrl, 'graphql-transport-ws');
  socket.once('open', () => socket.send(JSON.stringify({ type: 'connection_init', payload })));
  return new Promise((resolve) =>
    socket.once('close', (code, reason) => resolve({ code, reason: String(reason) })),
  );
}
