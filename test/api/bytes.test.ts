/** Bounded in bytes: frames, answers, what waits for readers, and operations at once. */
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { parse } from 'graphql';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { FRAME_CUT_BYTES, frameCutOf } from '../../schema/frame-cut.ts';
import { schema } from '../../schema/schema.ts';
import { ANSWER_BYTES_MAX } from '../../src/api/graphql/limits.ts';
import { cursorOf } from '../../src/journal/cursor.ts';
import type { SessionId } from '../../src/kernel/id.ts';
import { FRAME_BYTES_MAX } from '../../src/kernel/limit.ts';
import { type Answer, Door, type DoorOptions, ROOT_KEY, said, textOf } from '../support/door.ts';
import { eventually } from '../support/eventually.ts';
import { upTo } from '../support/following.ts';

const MIB = 1024 * 1024;
let door: Door;
let sockets: WebSocket[];
let plain: Socket[];
let streams: AbortController;
beforeEach(() => {
  sockets = [];
  plain = [];
  streams = new AbortController();
});
afterEach(async () => {
  for (const socket of sockets) socket.terminate();
  for (const socket of plain) socket.destroy();
  streams.abort();
  await eventually('no operation is left', () => door.graphql.held.operations === 0);
  await door.close();
});

/** A session whose turn runs, with so many messages of so many bytes each. */
async function sessionOf(messages: number, bytes: number, options: DoorOptions = {}): Promise<SessionId> {
  door = await Door.open(options);
  const id = await door.session();
  await door.beginTurn(id);
  for (let at = 0; at < messages; at += 1) await door.record(id, said('x'.repeat(bytes)));
  return id;
}

interface Raw {
  readonly socket: WebSocket;
  readonly received: { readonly bytes: number; readonly message: Answer }[];
  send(message: object): void;
}

async function opened(bearer = ROOT_KEY): Promise<Raw> {
  const socket = new WebSocket(door.socketUrl, 'graphql-transport-ws', { maxPayload: 512 * MIB });
  sockets.push(socket);
  const received: { bytes: number; message: Answer }[] = [];
  socket.on('error', () => undefined);
  socket.on('message', (data) => {
    const text = textOf(data);
    received.push({ bytes: text.length, message: JSON.parse(text) });
  });
  await new Promise((resolve) => socket.once('open', resolve));
  const send = (message: object): void => socket.send(JSON.stringify(message));
  send({ type: 'connection_init', payload: { authorization: `Bearer ${bearer}` } });
  await eventually('the acknowledgement', () => received.length === 1);
  return { socket, received, send };
}

const wholes = (names: number): string =>
  Array.from({ length: names }, (_, at) => `a${at}: fullBody`).join(' ');
const following = (id: SessionId, fields: string): string =>
  `subscription { sessionEvents(sessionId: "${id}") { __typename ... on EventBatch { cursor events { seq ${fields} } } } }`;
const frames = ({ received }: Raw): Answer[] =>
  received.flatMap(({ message }) => (message.type === 'next' ? [message.payload.data.sessionEvents] : []));
const seqs = (batches: readonly Answer[]): number[] =>
  batches.flatMap(({ events = [] }) => events.map(({ seq }: Answer) => seq));

/** What an SSE subscription has sent so far. */
function overSse(query: string): {
  has(text: string): boolean;
  lines: readonly string[];
  batches(): Answer[];
} {
  const lines: string[] = [];
  void fetch(door.url, {
    method: 'POST',
    signal: streams.signal,
    headers: {
      authorization: `Bearer ${ROOT_KEY}`,
      accept: 'text/event-stream',
      'content-type': 'application/json',
      connection: 'close',
    },
    body: JSON.stringify({ query }),
  })
    .then(async ({ body }) => {
      const input = Readable.fromWeb(body as never); // as: the same streams by another name
      for await (const line of createInterface({ input })) lines.push(line);
    })
    .catch(() => undefined); // the door closes before it ends
  const batches = (): Answer[] =>
    lines.flatMap((line) => (line.startsWith('data: {') ? [JSON.parse(line.slice(6))] : []));
  return { has: (text) => lines.some((line) => line.length < 2_000 && line.includes(text)), lines, batches };
}

describe('a frame (proves FRAME-1)', () => {
  it.each([
    ['of history', 0],
    ['live', 24],
  ])('%s ends where it is full, and the next one goes on: nothing is missed', async (_what, live) => {
    const id = await sessionOf(24 - live, 120_000);
    const client = await opened();
    client.send({ id: 's', type: 'subscribe', payload: { query: following(id, wholes(4)) } });
    await eventually('the end of history', () => frames(client).at(-1)?.__typename === 'CaughtUp');
    for (let seq = 6; seq <= 3 + live; seq += 3) {
      await door.record(id, ...Array.from({ length: 3 }, () => said('x'.repeat(120_000))));
      await eventually('all of them', () => seqs(frames(client)).at(-1) === seq); // it reads as fast as they come
    }
    const batches = frames(client).filter(({ __typename }) => __typename === 'EventBatch');

    expect(seqs(batches)).toEqual(upTo(27));
    expect(Math.max(...client.received.map(({ bytes }) => bytes))).toBeLessThanOrEqual(
      FRAME_CUT_BYTES + 1024,
    );
    expect(batches.map(({ cursor }) => cursor)).toEqual(
      batches.map(({ events }) => cursorOf(id, events.at(-1).seq)),
    );
    expect(batches.length).toBeLessThan(live === 0 ? 16 : 18); // each is filled
  });

  it('of SSE too', async () => {
    const id = await sessionOf(24, 120_000);
    const reader = overSse(following(id, wholes(4)));
    await eventually('the end of history', () => reader.has('CaughtUp'));
    const batches = reader.batches().map(({ data }) => data.sessionEvents);

    expect(seqs(batches)).toEqual(upTo(27));
    expect(Math.max(...reader.lines.map(({ length }) => length))).toBeLessThan(FRAME_CUT_BYTES + 1024);
  });

  it('that one event alone would make too large is an error that says what to ask for; others are served', async () => {
    const id = await sessionOf(1, 2 * MIB);
    const client = await opened();
    client.send({ id: 'large', type: 'subscribe', payload: { query: following(id, wholes(4)) } });
    await eventually('the refusal', () => client.received.some(({ message }) => message.type === 'error'));
    const reader = overSse(following(id, wholes(4)));
    await eventually('the refusal', () => reader.has('errors'));
    client.send({ id: 'one', type: 'subscribe', payload: { query: following(id, wholes(1)) } });
    await eventually('the end of history', () => frames(client).at(-1)?.__typename === 'CaughtUp');

    const refusal = client.received.find(({ message }) => message.type === 'error')?.message;
    expect(refusal.payload).toMatchObject([{ extensions: { code: 'EVENT_TOO_LARGE' } }]);
    expect(refusal.payload[0].message).toMatch(/event 4.*fewer names/);
    expect(reader.batches().at(-1).errors).toMatchObject([{ extensions: { code: 'ANSWER_TOO_LARGE' } }]);
    await eventually('the end of that', () => reader.has('complete'));
    expect(seqs(frames(client).slice(-2)).at(-1)).toBe(4);
  });

  it('of a message that is being written is cut as well, between characters', async () => {
    door = await Door.open();
    const names = Array.from({ length: 50 }, (_, at) => `t${at}: text`).join(' ');
    const { definitions } = parse(
      `subscription { sessionEvents(sessionId: "x") { ... on MessageDelta { ${names} } } }`,
    );
    const text = '\u{1f600}'.repeat(250_000);
    const pieces = frameCutOf(schema, definitions).pieces({ kind: 'delta', callId: 'c', offset: 7, text });

    expect(pieces.map((piece) => piece.text).join('')).toBe(text);
    expect(pieces.every((piece) => piece.text.isWellFormed())).toBe(true);
    expect(pieces.at(1)?.offset).toBe(7 + (pieces[0]?.text.length ?? 0));
    expect(Math.max(...pieces.map((piece) => 50 * JSON.stringify(piece.text).length))).toBeLessThan(
      FRAME_BYTES_MAX,
    );
  });
});

describe('an answer', () => {
  it('that is too large is refused, over HTTP and over a socket (proves REPLY-1)', async () => {
    door = await Door.open();
    const prompt = 'x'.repeat(250_000);
    for (let at = 0; at < 90; at += 1)
      await door.agents.create({ name: `agent-${at}`, model: 'rehearsal/echo', prompt });
    const query = '{ agents(first: 90) { nodes { prompt } } }';
    const { body } = await door.post(query);
    const client = await opened();
    client.send({ id: 'q', type: 'subscribe', payload: { query } });
    await eventually('its answer', () => client.received.length > 2);

    for (const errors of [body.errors, client.received[1]?.message.payload.errors]) {
      expect(errors).toMatchObject([{ extensions: { code: 'ANSWER_TOO_LARGE' } }]);
      expect(errors[0].message).toMatch(/smaller pages/);
    }
    expect(JSON.stringify(body).length + (client.received[1]?.bytes ?? 0)).toBeLessThan(ANSWER_BYTES_MAX);
    await eventually('nothing is held for it', () => door.graphql.outgoing.held < MIB);
  });

  it('of bodies under many names ends where the budget of logs does', async () => {
    const id = await sessionOf(30, 500_000);
    const { body } = await door.post(
      `{ session(id: "${id}") { ... on Session { events(first: 30) { nodes { ${wholes(4)} } pageInfo { hasNextPage } } } } }`,
    );

    expect(body.errors).toBeUndefined();
    expect(body.data.session.events.pageInfo.hasNextPage).toBe(true);
  });

  it('of 500 events with long bodies is whole', async () => {
    const id = await sessionOf(497, 30_000);
    const { body } = await door.post(
      `{ session(id: "${id}") { ... on Session { events(first: 500) { nodes { seq body } } } } }`,
    );

    expect(body.errors).toBeUndefined();
    expect(body.data.session.events.nodes).toHaveLength(500);
  });
});

describe('what nobody reads', () => {
  it('is one frame of one socket, however many subscriptions it has (proves FOLLOWER-1)', async () => {
    const id = await sessionOf(60, 500_000);
    const warnings: string[] = [];
    const warned = (warning: Error): void => void warnings.push(warning.name);
    process.on('warning', warned);
    const client = await opened();
    client.socket.pause();
    const before = process.memoryUsage().rss;
    for (let at = 0; at < 40; at += 1) {
      client.send({ id: `s${at}`, type: 'subscribe', payload: { query: following(id, wholes(4)) } });
    }
    await eventually('a frame waits', () => door.graphql.outgoing.held > MIB);
    let most = 0;
    for (let round = 0; round < 200; round += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      most = Math.max(most, door.graphql.outgoing.held);
    }
    process.off('warning', warned);

    expect(most).toBeLessThan(4 * FRAME_BYTES_MAX);
    expect(process.memoryUsage().rss - before).toBeLessThan(600 * MIB);
    expect(warnings).toEqual([]); // no listener of each on the one socket
    expect((await door.post('{ agents { nodes { id } } }')).status).toBe(200);
  });

  it('ends its reader after a while, on a socket and over HTTP (proves OUTGOING-2)', async () => {
    const id = await sessionOf(24, 500_000, { stallMs: 500 });
    const client = await opened();
    client.socket.pause();
    client.send({ id: 's', type: 'subscribe', payload: { query: following(id, wholes(4)) } });
    const query = `{ session(id: "${id}") { ... on Session { events(first: 20) { nodes { fullBody } } } } }`;
    const unread = await unreadRequest(query);
    await eventually('both wait', () => door.graphql.outgoing.held > 8 * MIB);

    await eventually(
      'nothing is held',
      () => door.graphql.outgoing.held < MIB && door.graphql.held.sockets === 0,
    );
    unread.resume();
    await eventually('its end', () => unread.destroyed || unread.closed);
  });

  it('of a large answer is not made yet: its pieces are, as they are taken (proves REPLY-2)', async () => {
    const id = await sessionOf(20, 500_000);
    const added = vi.spyOn(door.graphql.outgoing, 'addResponse');
    const query = `{ session(id: "${id}") { ... on Session { events(first: 30) { nodes { seq body fullBody } } } } }`;
    const unread = await unreadRequest(query);
    await eventually('it waits', () => added.mock.lastCall?.[0].writableNeedDrain === true);
    expect(added.mock.lastCall?.[0].writableLength).toBeLessThan(MIB);
    expect(door.graphql.outgoing.held).toBeGreaterThan(9 * MIB);

    let text = '';
    unread.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    unread.resume();
    await eventually('its end', () => text.endsWith('\r\n0\r\n\r\n'));
    await eventually('nothing is held', () => door.graphql.outgoing.held === 0);
    const whole = await door.post(query);
    expect(whole.body.data.session.events.nodes.at(-1).fullBody.text).toHaveLength(500_000);
    expect(text.replaceAll(/\r\n[0-9a-f]+\r\n/g, '')).toContain(JSON.stringify(whole.body));
  });

  it('of all readers together is bounded: who has most unread is ended, others are served (proves OUTGOING-1)', async () => {
    const bytesMax = 8 * MIB;
    const id = await sessionOf(24, 500_000, { outgoingBytesMax: bytesMax });
    const good = await opened();
    const slow = await Promise.all(Array.from({ length: 12 }, () => opened()));
    let most = 0;
    for (const client of slow) {
      client.socket.pause();
      client.send({ id: 's', type: 'subscribe', payload: { query: following(id, wholes(4)) } });
    }
    await eventually('some were ended', () => {
      most = Math.max(most, door.graphql.outgoing.held);
      return door.logs.includes('readers leave too much unread');
    });
    good.send({ id: 's', type: 'subscribe', payload: { query: following(id, '') } });
    await eventually('the end of history', () => frames(good).at(-1)?.__typename === 'CaughtUp');

    expect(most).toBeLessThan(bytesMax + 2 * FRAME_BYTES_MAX);
    expect(door.graphql.held.sockets).toBeLessThan(13);
    expect(door.graphql.held.sockets).toBeGreaterThan(1);
    expect(seqs(frames(good))).toEqual(upTo(27));
  });

  it('of one frame for many followers counts once: none of them is ended for it', async () => {
    const id = await sessionOf(0, 0, { outgoingBytesMax: 30 * MIB });
    const clients = await Promise.all(Array.from({ length: 30 }, () => opened()));
    for (const client of clients) {
      client.send({ id: 's', type: 'subscribe', payload: { query: following(id, wholes(1)) } });
      await eventually('the end of history', () => frames(client).at(-1)?.__typename === 'CaughtUp');
    }
    await door.record(id, said('x'.repeat(3 * MIB)));

    await eventually('everybody has it', () => clients.every((client) => seqs(frames(client)).at(-1) === 4));
    expect(door.logs).not.toContain('a reader was ended');
    await eventually('nothing is held', () => door.graphql.outgoing.held === 0);
  });

  it('of the console is in memory anyway: it takes nobody any room', async () => {
    door = await Door.open({ outgoingBytesMax: 12 * MIB });
    await (await fetch(door.url, { headers: { accept: 'text/html' } })).arrayBuffer();
    for (let count = 0; count < 8; count += 1) {
      const socket = connect(door.port, '127.0.0.1');
      plain.push(socket);
      socket.on('error', () => undefined);
      socket.write('GET /graphql HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n');
      await new Promise((resolve) => socket.once('readable', resolve)); // and it reads no further
    }
    const { status } = await door.post('{ agents { nodes { id } } }');

    expect(door.graphql.outgoing.readers).toBeGreaterThanOrEqual(8);
    expect(door.graphql.outgoing.held).toBeLessThan(MIB);
    expect(status).toBe(200);
    expect(door.logs).not.toContain('a reader was ended');
  });

  it('refuses what would be too much for the process, and says when to try again (proves OUTGOING-1)', async () => {
    const id = await sessionOf(10, 500_000, { outgoingBytesMax: 4 * MIB });
    const query = `{ session(id: "${id}") { ... on Session { events(first: 20) { nodes { fullBody } } } } }`;
    const { body } = await door.post(query);

    expect(body.errors).toMatchObject([
      { extensions: { code: 'UNAVAILABLE', retryAfterMs: expect.any(Number) } },
    ]);
    expect(door.graphql.outgoing.held).toBeLessThan(MIB);
    expect((await door.post(query.replace('first: 20', 'first: 1'))).body.errors).toBeUndefined();
  });

  it('of one session is at most its share: its own readers are ended for its own operations, nobody else meets it (proves OUTGOING-3)', async () => {
    const id = await sessionOf(24, 500_000, { outgoingBytesMax: 32 * MIB });
    const { token } = await door.access.mintClientToken(door, id);
    const added = vi.spyOn(door.graphql.outgoing, 'addResponse');
    const query = `{ session(id: "${id}") { ... on Session { events(first: 20) { nodes { fullBody } } } } }`;
    const waiting = async (bearer: string): Promise<Socket> => {
      const before = added.mock.calls.length;
      const unread = await unreadRequest(query, bearer);
      await eventually('its answer waits', () => added.mock.calls[before]?.[0].writableNeedDrain === true);
      return unread;
    };
    const others = await waiting(ROOT_KEY);
    const first = await waiting(token);
    const second = await waiting(token);
    expect(door.logs).toContain('a reader was ended');
    first.resume(); // what was written is there still
    await eventually('it was the first of the session', () => first.closed);
    const { body } = await door.post(query.replace('20', '10'));

    expect(body.errors).toBeUndefined();
    expect(others.destroyed).toBe(false);
    expect(second.destroyed).toBe(false);
    expect(door.graphql.outgoing.held).toBeLessThan(32 * MIB);
  });

  it('refuses in the middle of a list, and nothing that is still being read of it ends the process', async () => {
    // Each name holds 0.5 MB: the second one of the second event does not fit, nor the first one of the third.
    const id = await sessionOf(6, 500_000, { outgoingBytesMax: 1.75 * MIB });
    const query = `{ session(id: "${id}") { ... on Session { events(first: 20, types: ["agent.message"]) { nodes { a: fullBody b: fullBody } } } } }`;
    const unhandled: unknown[] = [];
    const note = (reason: unknown): unknown => unhandled.push(reason);
    process.on('unhandledRejection', note);
    try {
      const { body } = await door.post(query);

      expect(body.errors[0]).toMatchObject({ extensions: { code: 'UNAVAILABLE' } });
      await eventually('nothing is held', () => door.graphql.outgoing.held === 0);
      await new Promise((resolve) => setImmediate(resolve)); // when Node tells of rejections that nobody has taken
      expect(unhandled).toEqual([]);
    } finally {
      process.off('unhandledRejection', note);
    }
  });
});

/** Sends a request and never reads what comes. */
async function unreadRequest(query: string, bearer = ROOT_KEY): Promise<Socket> {
  const body = JSON.stringify({ query });
  const socket = connect(door.port, '127.0.0.1');
  plain.push(socket);
  socket.on('error', () => undefined);
  socket.pause();
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write(
    `POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${bearer}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  return socket;
}

describe('operations at once (proves OPERATIONS-1)', () => {
  it('of one session by client tokens are bounded over its sockets and requests; of others they are not', async () => {
    const id = await sessionOf(0, 0, { operations: { client: 3 } });
    const { token } = await door.access.mintClientToken(door, id);
    const again = (await door.access.mintClientToken(door, id)).token;
    const [one, two] = [await opened(token), await opened(again)];
    for (const at of [1, 2])
      one.send({ id: `${at}`, type: 'subscribe', payload: { query: following(id, '') } });
    two.send({ id: '3', type: 'subscribe', payload: { query: following(id, '') } });
    await eventually('three', () => door.graphql.held.operations === 3);
    two.send({ id: '4', type: 'subscribe', payload: { query: following(id, '') } });
    await eventually('a refusal', () => two.received.some(({ message }) => message.type === 'error'));
    const { status, body } = await door.post(`{ session(id: "${id}") { __typename } }`, {}, token);
    const other = await door.post(`{ session(id: "${id}") { __typename } }`);

    const refused = two.received.find(({ message }) => message.type === 'error')?.message;
    expect(refused.payload).toMatchObject([
      { extensions: { code: 'TOO_MANY_OPERATIONS', retryAfterMs: 1_000 } },
    ]);
    expect([status, body.errors[0].extensions.code]).toEqual([429, 'TOO_MANY_OPERATIONS']);
    expect(other.status).toBe(200);

    one.send({ id: '1', type: 'complete' });
    await eventually('room', () => door.graphql.held.operations === 2);
    expect((await door.post(`{ session(id: "${id}") { __typename } }`, {}, token)).status).toBe(200);
    one.socket.terminate();
    await eventually('what a broken socket had', () => door.graphql.held.operations <= 1);
  });

  it('count once when an id is used again, and not when they were refused', async () => {
    const id = await sessionOf(0, 0);
    const client = await opened();
    for (let round = 0; round < 20; round += 1) {
      client.send({ id: 'same', type: 'subscribe', payload: { query: following(id, '') } });
      client.send({ id: 'same', type: 'complete' });
      client.send({ id: `q${round}`, type: 'subscribe', payload: { query: '{ agents { nodes { id } } }' } });
      client.send({
        id: `n${round}`,
        type: 'subscribe',
        payload: { query: 'query A { __typename }', operationName: 'B' },
      });
      client.send({ id: `b${round}`, type: 'subscribe', payload: { query: '{ nonsense }' } });
    }
    await eventually(
      'all were answered',
      () => client.received.filter(({ message }) => message.id !== undefined).length >= 60,
    );
    await eventually('none is left', () => door.graphql.held.operations === 0);
  });

  it('a session has so many sockets by client tokens, and no more', async () => {
    const id = await sessionOf(0, 0, { operations: { clientSockets: 2 } });
    const { token } = await door.access.mintClientToken(door, id);
    await opened(token);
    const second = await opened(token);
    const closed = await new Promise<number>((resolve) => {
      const third = new WebSocket(door.socketUrl, 'graphql-transport-ws');
      sockets.push(third);
      third.once('open', () =>
        third.send(
          JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }),
        ),
      );
      third.once('close', resolve);
    });
    expect(closed).toBe(4429);
    second.socket.terminate();
    await eventually('room', () => door.graphql.held.sockets === 1);
    await opened(token);
  });
});
