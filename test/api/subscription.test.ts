/** sessionEvents over WebSocket, with a real graphql-ws client: frames, groups, refusals, and nothing left behind. */
import { type Client, createClient } from 'graphql-ws';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { cursorOf } from '../../src/journal/cursor.ts';
import { newId, type SessionId } from '../../src/kernel/id.ts';
import { type Answer, Door, ROOT_KEY, said, textOf } from '../support/door.ts';
import { eventually } from '../support/eventually.ts';
import { BY_EXECUTION, caughtUp, type Follower, follow, QUICK, upTo } from '../support/following.ts';

const HIGH_WATER_BYTES = 200_000;
let door: Door;
let clients: Client[];
beforeEach(async () => {
  door = await Door.open({ highWaterBytes: HIGH_WATER_BYTES });
  clients = [];
});
afterEach(async () => {
  for (const client of clients) await client.dispose();
  await eventually('nobody follows any more', () => door.graphql.held.groups === 0);
  await door.close();
});

function clientOf(authorization = `Bearer ${ROOT_KEY}`): Client {
  const client = createClient({
    url: door.socketUrl,
    webSocketImpl: WebSocket,
    connectionParams: { authorization },
    retryAttempts: 0,
  });
  clients.push(client);
  return client;
}

describe.each([
  ['by projection', QUICK],
  ['by execution', BY_EXECUTION],
])('a follower %s', (_how, selection) => {
  it('gets history in pages, then the end of it, then what happens', async () => {
    const id = await door.session();
    await door.beginTurn(id);
    for (let written = 0; written < 5; written += 1) {
      await door.record(id, ...Array.from({ length: 60 }, (_, at) => said(`message ${written}/${at}`)));
    }
    const follower = follow(clientOf(), id, {}, selection);
    await follower.sees('the end of history', caughtUp);
    const pages = follower.frames
      .filter(({ __typename }) => __typename === 'EventBatch')
      .map(({ events }) => events.length);

    await door.record(id, said('live'));
    await follower.sees('the live event', () => follower.seqs().includes(304));

    expect(pages).toEqual([100, 100, 100, 3]);
    expect(follower.seqs()).toEqual(upTo(304));
    expect(follower.frames.at(-2)).toEqual({ __typename: 'CaughtUp', cursor: cursorOf(id, 303) });
    expect(follower.frames.at(-1)).toEqual({
      __typename: 'EventBatch',
      cursor: cursorOf(id, 304),
      events: [
        {
          __typename: 'AgentMessage',
          seq: 304,
          type: 'agent.message',
          body: { callId: 'call-1', text: 'live' },
          text: 'live',
        },
      ],
    });
  });

  it('LIVE-5: gets SessionGone, and the end, when its session is gone', async () => {
    const id = await door.session();
    const follower = follow(clientOf(), id, {}, selection);
    await follower.sees('the end of history', caughtUp);
    door.forget(id);

    await follower.sees('that it is gone', (frames) => frames.at(-1)?.__typename === 'SessionGone');
    await eventually('its end', () => follower.completed());
    expect(follower.failed()).toBeUndefined();
  });

  it('gets messages while they are written, also one it joined in the middle of', async () => {
    const id = await door.session();
    await door.beginTurn(id);
    const client = clientOf();
    const early = follow(client, id, { deltas: true }, selection);
    const quiet = follow(client, id, { deltas: false }, selection);
    await early.sees('the end of history', caughtUp);
    await quiet.sees('the end of history', caughtUp);
    door.live.delta(id, { callId: 'call-1', offset: 0, text: 'Hel' });
    await early.sees('the first piece', (frames) => frames.at(-1).text === 'Hel');
    const late = follow(client, id, { deltas: true }, selection);
    await late.sees('the text so far', (frames) => frames.at(-1)?.text === 'Hel');

    door.live.delta(id, { callId: 'call-1', offset: 3, text: 'lo' });
    await late.sees('the second piece', (frames) => frames.at(-1).text === 'lo');
    await door.record(id, said('Hello'));
    await late.sees('the message', (frames) => frames.at(-1).__typename === 'EventBatch');
    await quiet.sees('the message', (frames) => frames.at(-1).__typename === 'EventBatch');
    const after = follow(client, id, { deltas: true }, selection);
    await after.sees('the end of history', caughtUp);

    const pieces = (follower: Follower): Answer[] =>
      follower.frames.filter(({ __typename }) => __typename === 'MessageDelta');
    expect(pieces(early).map(({ offset, text }) => [offset, text])).toEqual([
      [0, 'Hel'],
      [3, 'lo'],
    ]);
    expect(pieces(late)).toEqual(pieces(early));
    expect([pieces(quiet), pieces(after)]).toEqual([[], []]);
  });
});

describe('a follower of what the model thinks', () => {
  it.each([
    ['by projection', QUICK],
    ['by execution', BY_EXECUTION],
  ])(
    'gets it apart from the message, and what there is of it when it joins (%s)',
    async (_how, selection) => {
      const id = await door.session();
      await door.beginTurn(id);
      const client = clientOf();
      const early = follow(client, id, { deltas: true }, selection);
      await early.sees('the end of history', caughtUp);
      door.live.delta(id, { callId: 'call-1', kind: 'thinking', offset: 0, text: 'Hm' });
      await early.sees('the first thought', (frames) => frames.at(-1).text === 'Hm');
      door.live.delta(id, { callId: 'call-1', offset: 0, text: 'Hel' });
      await early.sees('the first word', (frames) => frames.at(-1).text === 'Hel');
      const late = follow(client, id, { deltas: true }, selection);
      await late.sees('all so far', (frames) => frames.at(-1)?.text === 'Hel');

      const pieces = (follower: Follower): Answer[] =>
        follower.frames.filter(({ callId }) => callId !== undefined);
      expect(pieces(early)).toEqual([
        { __typename: 'ThinkingDelta', callId: 'call-1', offset: 0, text: 'Hm' },
        { __typename: 'MessageDelta', callId: 'call-1', offset: 0, text: 'Hel' },
      ]);
      expect(pieces(late)).toEqual(pieces(early));
      await door.record(id, said('Hello'));
      const after = follow(client, id, { deltas: true }, selection);
      await after.sees('the end of history', caughtUp);
      expect(pieces(after)).toEqual([]);
    },
  );

  it('who does not know of thinking gets a frame without fields, and goes on', async () => {
    const id = await door.session();
    await door.beginTurn(id);
    const old = follow(
      clientOf(),
      id,
      { deltas: true },
      QUICK.replace(/\.\.\. on ThinkingDelta \{[^}]*\}/, ''),
    );
    await old.sees('the end of history', caughtUp);
    door.live.delta(id, { callId: 'call-1', kind: 'thinking', offset: 0, text: 'Hm' });
    await old.sees('a frame', (frames) => frames.at(-1).__typename === 'ThinkingDelta');
    await door.record(id, said('Hello'));
    await old.sees('the message', (frames) => frames.at(-1).__typename === 'EventBatch');

    expect(old.frames.find(({ __typename }) => __typename === 'ThinkingDelta')).toEqual({
      __typename: 'ThinkingDelta',
    });
    expect(old.failed()).toBeUndefined();
  });
});

describe('followers', () => {
  it('of the same session with the same document share one group, and each gets everything once', async () => {
    const id = await door.session();
    await door.beginTurn(id);
    const followers = Array.from({ length: 20 }, (_, at) =>
      follow(clientOf(), id, at % 2 === 0 ? {} : { after: cursorOf(id, 2) }),
    );
    for (const follower of followers) await follower.sees('the end of history', caughtUp);

    expect(door.graphql.held.groups).toBe(1);

    for (let written = 0; written < 10; written += 1) await door.record(id, said(`${written}`));
    for (const follower of followers)
      await follower.sees('the last event', () => follower.seqs().includes(13));

    followers.forEach((follower, at) =>
      expect(follower.seqs()).toEqual(upTo(13).slice(at % 2 === 0 ? 0 : 2)),
    );
  });

  it('that join while events are written get each once and in order', async () => {
    const id = await door.session();
    await door.beginTurn(id);
    const client = clientOf();
    const followers: Follower[] = [];
    for (let written = 0; written < 60; written += 1) {
      const writing = door.record(id, said(`${written}`), said('and'));
      if (written % 2 === 0) followers.push(follow(client, id, {}, written % 4 === 0 ? QUICK : BY_EXECUTION));
      await writing;
    }
    for (const follower of followers)
      await follower.sees('the last event', () => follower.seqs().includes(123));

    for (const follower of followers) expect(follower.seqs()).toEqual(upTo(123));
  });

  it('with a filter see what passes, and their cursor moves over the rest', async () => {
    const id = await door.session();
    const follower = follow(clientOf(), id, {
      filter: { level: 'USER', types: ['agent.message', 'user.message'] },
    });
    await follower.sees('the end of history', caughtUp);

    await door.beginTurn(id); // brain.started and turn.started: neither passes
    await door.record(id, said('seen'));
    await follower.sees('the message', (frames) => frames.at(-1).__typename === 'EventBatch');

    expect(follower.seqs()).toEqual([1, 4]);
    expect(follower.frames.at(-1).cursor).toBe(cursorOf(id, 4));
  });

  it('with a filter that lets nothing through are told their cursor at the end of history, and now and then', async () => {
    const id = await door.session();
    await door.beginTurn(id);
    const follower = follow(clientOf(), id, { filter: { types: ['error.model'] } });
    await follower.sees('the end of history', caughtUp);
    for (let written = 0; written < 5; written += 1)
      await door.record(id, ...Array.from({ length: 250 }, () => said('x')));
    await follower.sees('an empty batch', (frames) => frames.at(-1).__typename === 'EventBatch');

    expect(follower.frames[0]).toEqual({ __typename: 'CaughtUp', cursor: cursorOf(id, 3) });
    expect(follower.frames[1].events).toEqual([]);
  });

  it('resume at every cursor without a gap or a repetition', async () => {
    const id = await door.session();
    await door.beginTurn(id);
    for (let written = 0; written < 17; written += 1) await door.record(id, said(`${written}`));
    const client = clientOf();
    for (let after = 0; after <= 20; after += 1) {
      const follower = follow(client, id, { after: cursorOf(id, after) });
      await follower.sees('the end of history', caughtUp);
      follower.stop();

      expect(follower.seqs()).toEqual(upTo(20).slice(after));
    }
  });

  it('that do not read are told so and leave, while the others go on (GROUP-2)', async () => {
    const id = await door.session();
    await door.beginTurn(id);
    const slow = new WebSocket(door.socketUrl, 'graphql-transport-ws');
    const received: Answer[] = [];
    slow.on('message', (data) => received.push(JSON.parse(textOf(data))));
    await new Promise((resolve) => slow.once('open', resolve));
    slow.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${ROOT_KEY}` } }));
    await eventually('the acknowledgement', () => received.length === 1);
    const query = `subscription ($id: ID!) { sessionEvents(sessionId: $id) { ${QUICK} } }`;
    slow.send(JSON.stringify({ type: 'subscribe', id: 'slow', payload: { query, variables: { id } } }));
    const good = follow(clientOf(), id);
    await good.sees('the end of history', caughtUp);
    await eventually('the end of history', () =>
      received.some(({ payload }) => payload?.data.sessionEvents.__typename === 'CaughtUp'),
    );

    slow.pause();
    let written = 3;
    for (let round = 0; round < 400; round += 1) {
      await door.record(id, said('x'.repeat(30_000)));
      written += 1;
    }
    await good.sees('the last event', () => good.seqs().includes(written));
    slow.resume();
    await eventually('its completion', () => received.some(({ type }) => type === 'complete'));
    slow.terminate();

    const frames = received
      .filter(({ type }) => type === 'next')
      .map(({ payload }) => payload.data.sessionEvents);
    const seqs = frames.flatMap(({ events = [] }) => events.map(({ seq }: Answer) => seq));
    expect(frames.at(-1)).toEqual({ __typename: 'SlowConsumer', resumeFrom: cursorOf(id, seqs.length) });
    expect(seqs).toEqual(upTo(seqs.length));
    expect(seqs.length).toBeLessThan(written);
    expect(good.seqs()).toEqual(upTo(written));
  });
});

describe('a follower that cannot be served', () => {
  it.each([
    ['an unknown session', newId('session'), {}],
    ['no session id', 'x', {}],
  ])('gets SessionGone for %s', async (_what, sessionId, more) => {
    const follower = follow(clientOf(), sessionId, more);
    await eventually('completion', () => follower.completed());

    expect(follower.frames).toEqual([
      { __typename: 'SessionGone', message: expect.stringContaining(sessionId) },
    ]);
  });

  it('gets SessionGone for a session that its token does not open', async () => {
    const [own, other] = [await door.session(), await door.session()];
    const client = clientOf(`Bearer ${(await door.access.mintClientToken(door, own)).token}`);
    const refused = follow(client, other);
    const served = follow(client, own);
    await eventually('completion', () => refused.completed());
    await served.sees('the end of history', caughtUp);

    expect(refused.frames).toMatchObject([{ __typename: 'SessionGone' }]);
  });

  it.each([
    ['of another session', (_id: SessionId) => cursorOf(newId('session'), 1), 'FOREIGN'],
    ['that is none', () => 'garbage', 'FOREIGN'],
    ['beyond the head', (id: SessionId) => cursorOf(id, 99), 'AHEAD'],
  ])('gets CursorRefused for a cursor %s', async (_what, cursor, reason) => {
    const id = await door.session();
    const follower = follow(clientOf(), id, { after: cursor(id) });
    await eventually('completion', () => follower.completed());

    expect(follower.frames).toEqual([{ __typename: 'CursorRefused', reason, earliest: cursorOf(id, 0) }]);
  });

  it('gets an error for a token without the scope and for a filter that means nothing', async () => {
    const id = await door.session();
    const { token } = await door.access.mintClientToken(door, id, { scopes: ['steer'] });
    const forbidden = follow(clientOf(`Bearer ${token}`), id);
    const invalid = follow(clientOf(), id, { filter: { types: ['agent.mesage'] } });
    await eventually(
      'both refusals',
      () => forbidden.failed() !== undefined && invalid.failed() !== undefined,
    );

    expect(forbidden.failed()).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
    expect(invalid.failed()).toMatchObject([{ extensions: { code: 'INVALID_INPUT' } }]);
  });
});

describe('nothing is left behind', () => {
  it('when clients complete, and when their sockets break, while the session is quiet (GROUP-3)', async () => {
    const id = await door.session();
    for (let round = 0; round < 5; round += 1) {
      const sockets = Array.from({ length: 5 }, () => clientOf());
      const followers = sockets.flatMap((client) => [
        follow(client, id),
        follow(client, id, { deltas: true }),
        follow(client, id, {}, BY_EXECUTION),
      ]);
      for (const follower of followers) await follower.sees('the end of history', caughtUp);
      expect(door.graphql.held).toMatchObject({ sockets: 5, groups: 3 });
      expect(door.readers()).toBe(1);

      for (const follower of followers.slice(0, 6)) follower.stop();
      for (const client of sockets.slice(2)) client.terminate();

      await eventually(
        'no group and no reader',
        () => door.graphql.held.groups === 0 && door.readers() === 0,
      );
    }
  });

  it('when a client goes in the middle of its history', async () => {
    const id = await door.session();
    await door.beginTurn(id);
    for (let written = 0; written < 20; written += 1) {
      await door.record(id, ...Array.from({ length: 100 }, () => said('x'.repeat(1_000))));
    }
    for (let round = 0; round < 5; round += 1) {
      const client = clientOf();
      const follower = follow(client, id);
      await follower.sees('a first page', (frames) => frames.length > 0);
      client.terminate();
    }

    await eventually('no socket', () => door.graphql.held.sockets === 0 && door.readers() === 0);
  });
});

it('LIVE-5: a follower over SSE gets SessionGone, and the end, when its session is gone', async () => {
  const id = await door.session();
  const query = `subscription { sessionEvents(sessionId: "${id}") { __typename } }`;
  const response = await fetch(door.url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${ROOT_KEY}`,
      accept: 'text/event-stream',
      'content-type': 'application/json',
    },
    body: JSON.stringify({ query }),
  });
  let text = '';
  const reading = (async () => {
    for await (const chunk of response.body ?? []) text += Buffer.from(chunk).toString();
  })();
  await eventually('the end of history', () => text.includes('CaughtUp'));

  door.forget(id);

  await reading;
  expect(text).toContain('SessionGone');
});
