/** The typed client against the real door: requests, and following across everything that breaks. */
import { once } from 'node:events';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Client, connect } from '../../src/client/client.ts';
import type { Frame } from '../../src/client/follow.ts';
import {
  CreateAgentDocument,
  ReadSessionDocument,
  SendMessageDocument,
  StartSessionDocument,
} from '../../src/client/generated/graphql.ts';
import { RequestRefused } from '../../src/client/refusal.ts';
import { cursorOf } from '../../src/journal/cursor.ts';
import { newId } from '../../src/kernel/id.ts';
import { Door, ROOT_KEY, said } from '../support/door.ts';
import { eventually } from '../support/eventually.ts';

let door: Door;
let client: Client;
beforeEach(async () => {
  door = await Door.open();
  client = connect({ url: door.url, key: ROOT_KEY });
});
afterEach(async () => {
  await client.close();
  await door.close();
});

const upTo = (head: number): readonly number[] => Array.from({ length: head }, (_, at) => at + 1);

/** Takes frames until an event of this seq has come; answers the seqs. */
async function takeUntil(
  frames: AsyncIterableIterator<Frame, undefined>,
  seq: number,
): Promise<readonly number[]> {
  const seqs: number[] = [];
  while (!seqs.includes(seq)) {
    const { done, value } = await frames.next();
    if (done === true) break;
    if (value.__typename === 'EventBatch') seqs.push(...value.events.map((event) => event.seq));
  }
  return seqs;
}

describe('a request', () => {
  it('is typed from the schema, and a Fault is a result', async () => {
    const input = { name: 'typed', model: 'anthropic/claude-sonnet-5', prompt: 'Be brief.' };
    const { createAgent } = await client.request(CreateAgentDocument, { input });
    const { startSession } = await client.request(StartSessionDocument, {
      input: { agent: 'typed', input: 'Go.' },
    });
    if (startSession.__typename !== 'StartSessionPayload') throw new Error(startSession.__typename);
    const { sendMessage } = await client.request(SendMessageDocument, {
      input: { sessionId: startSession.session.id, text: 'And?' },
    });
    const { session } = await client.request(ReadSessionDocument, { id: startSession.session.id });
    const { session: none } = await client.request(ReadSessionDocument, { id: newId('session') });

    expect(createAgent).toMatchObject({ __typename: 'CreateAgentPayload', replayed: false });
    expect(sendMessage.__typename).toBe('SendMessagePayload');
    expect(session).toMatchObject({ __typename: 'Session', status: 'QUEUED', head: 2 });
    expect(none).toMatchObject({ __typename: 'SessionNotFound', code: 'SESSION_NOT_FOUND' });
  });

  it('that is refused throws what the server said', async () => {
    const stranger = connect({ url: door.url, key: 'no-such-key-0123456789' });
    const refused = await stranger.request(ReadSessionDocument, { id: 'x' }).catch((error: unknown) => error);
    await stranger.close();

    expect(refused).toBeInstanceOf(RequestRefused);
    expect(refused).toMatchObject({ code: 'UNAUTHENTICATED', status: 401 });
  });

  it('to something that is no Holdfast says so', async () => {
    const lost = connect({ url: door.url.replace('/graphql', '/'), key: ROOT_KEY });
    const failed = await lost.request(ReadSessionDocument, { id: 'x' }).catch((error: unknown) => error);
    await lost.close();

    expect(String(failed)).toContain('Is there a Holdfast at');
  });
});

describe('following', () => {
  it('gives each event once and in order, although its socket is cut at every one of them', async () => {
    const id = await door.session();
    await door.beginTurn(id);
    const line = await cutLine(door.port);
    const cut = connect({ url: `http://127.0.0.1:${line.port}/graphql`, key: ROOT_KEY });
    const frames = cut.follow({ sessionId: id });
    const seqs: number[] = [...(await takeUntil(frames, 3))];
    for (let seq = 4; seq <= 23; seq += 1) {
      line.cut();
      await door.record(id, said(`${seq}`));
      seqs.push(...(await takeUntil(frames, seq)));
    }
    await cut.close();
    await line.close();

    expect(seqs).toEqual(upTo(23));
    expect(line.cuts()).toBeGreaterThanOrEqual(20);
  });

  it('goes on behind what it was given since it caught up, when its socket is cut then (CLIENT-1)', async () => {
    const id = await door.session();
    await door.beginTurn(id);
    const line = await cutLine(door.port);
    const cut = connect({ url: `http://127.0.0.1:${line.port}/graphql`, key: ROOT_KEY });
    const frames = cut.follow({ sessionId: id });
    const seqs: number[] = [...(await takeUntil(frames, 3))];
    await frames.next(); // CaughtUp
    for (const seq of [4, 5]) await door.record(id, said(`${seq}`));
    seqs.push(...(await takeUntil(frames, 5)));
    line.cut();
    await door.record(id, said('6'));
    seqs.push(...(await takeUntil(frames, 6)));
    await cut.close();
    await line.close();

    expect(seqs).toEqual(upTo(6));
  });

  it('survives a restart of the server', async () => {
    const id = await door.session();
    const frames = client.follow({ sessionId: id });
    const before = await takeUntil(frames, 1);
    const { port } = door;
    await door.stop();
    await door.beginTurn(id);
    await door.listen(port);
    const after = await takeUntil(frames, 3);

    expect([...before, ...after]).toEqual([1, 2, 3]);
  });

  it('says once that it has caught up, and gives messages piece by piece', async () => {
    const id = await door.session();
    await door.beginTurn(id);
    const frames = client.follow({ sessionId: id, deltas: true });
    await takeUntil(frames, 3);
    const caughtUp = await frames.next();
    door.live.delta(id, { callId: 'call-1', offset: 0, text: 'Hello' });
    const piece = await frames.next();
    door.live.delta(id, { callId: 'call-1', kind: 'thinking', offset: 0, text: 'Hm' });
    const thought = await frames.next();
    await door.record(id, said('Hello'));
    const batch = await frames.next();

    expect(caughtUp.value).toEqual({ __typename: 'CaughtUp', cursor: cursorOf(id, 3) });
    expect(piece.value).toEqual({ __typename: 'MessageDelta', callId: 'call-1', offset: 0, text: 'Hello' });
    expect(thought.value).toEqual({ __typename: 'ThinkingDelta', callId: 'call-1', offset: 0, text: 'Hm' });
    expect(batch.value).toMatchObject({
      __typename: 'EventBatch',
      events: [{ __typename: 'AgentMessage', text: 'Hello' }],
    });
  });

  it('ends with the frame that says why it cannot go on', async () => {
    const id = await door.session();
    const gone = client.follow({ sessionId: newId('session') });
    const refused = client.follow({ sessionId: id, after: 'garbage' });

    expect((await gone.next()).value).toMatchObject({ __typename: 'SessionGone' });
    expect(await gone.next()).toEqual({ done: true, value: undefined });
    expect((await refused.next()).value).toMatchObject({ __typename: 'CursorRefused', reason: 'FOREIGN' });
    expect(await refused.next()).toEqual({ done: true, value: undefined });
  });

  it.each([
    ['an unknown key', async () => 'no-such-key-0123456789', 'CLOSED_4401'],
    [
      'a token without the scope',
      async (id: Parameters<Door['access']['mintClientToken']>[1]) =>
        (await door.access.mintClientToken(door, id, { scopes: ['steer'] })).token,
      'FORBIDDEN',
    ],
  ])('throws for %s', async (_what, keyOf, code) => {
    const id = await door.session();
    const stranger = connect({ url: door.url, key: await keyOf(id) });
    const failed = await stranger
      .follow({ sessionId: id })
      .next()
      .catch((error: unknown) => error);
    await stranger.close();

    expect(failed).toMatchObject({ name: 'RequestRefused', code });
  });

  it('ends at once when it is told to, also while it waits (CLIENT-3)', async () => {
    const id = await door.session();
    const abort = new AbortController();
    const aborted = client.follow({ sessionId: id, after: cursorOf(id, 1) }, abort.signal);
    const returned = client.follow({ sessionId: id, after: cursorOf(id, 1) });
    await aborted.next(); // CaughtUp
    await returned.next();
    const waiting = [aborted.next(), returned.next()];
    abort.abort();
    await returned.return?.();

    expect(await Promise.all(waiting)).toEqual([
      { done: true, value: undefined },
      { done: true, value: undefined },
    ]);
    await eventually('the server knows', () => door.graphql.held.groups === 0);
  });

  it('keeps a bounded number of frames for a consumer that is busy, and loses none (CLIENT-2)', async () => {
    const id = await door.session();
    await door.beginTurn(id);
    const frames = client.follow({ sessionId: id });
    const first = await takeUntil(frames, 3);
    await frames.next(); // CaughtUp
    for (let written = 0; written < 300; written += 1) await door.record(id, said('x'));
    await eventually('the server is rid of it', () => door.graphql.held.groups === 0);

    expect([...first, ...(await takeUntil(frames, 303))]).toEqual(upTo(303));
  });
});

/** A TCP line to `port` that can be cut. */
async function cutLine(
  port: number,
): Promise<{ port: number; cut: () => void; cuts: () => number; close: () => Promise<void> }> {
  const open = new Set<Socket>();
  let cuts = 0;
  const server: Server = createServer((near) => {
    const far = dial(port, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      from.on('error', () => to.destroy()); // cut
      from.on('close', () => {
        open.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('it listens on a port');
  const cut = (): void => {
    cuts += 1;
    for (const socket of open) socket.destroy();
  };
  return {
    port: address.port,
    cut,
    cuts: () => cuts,
    close: async () => {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
