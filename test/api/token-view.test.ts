/** What a client token sees of its session: no thinking unless it was minted so, and nothing above its level, by whatever it asks. */
import { type Client, createClient } from 'graphql-ws';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { TokenWish } from '../../src/access/client-tokens.ts';
import type { NewEvent } from '../../src/journal/event.ts';
import { eventIdOf, type SessionId } from '../../src/kernel/id.ts';
import { type Answer, Door, ROOT_KEY, said } from '../support/door.ts';
import { eventually } from '../support/eventually.ts';
import { BY_EXECUTION, caughtUp, type Follower, follow, QUICK } from '../support/following.ts';

const THOUGHT = 'what nobody shall read';
const thinks = (text = THOUGHT): NewEvent => ({
  type: 'agent.thinking',
  actor: { kind: 'agent' },
  body: { callId: 'call-1', text, signature: `${text} signed` },
});
const narrates = (text: string): NewEvent => ({ ...said(text), level: 'progress' });
/** In this order; user.message and turn.started come before: 1 user, 2 internal (lease), 3 progress. */
const WRITTEN = [narrates('I look.'), thinks(), said('Done.')];
const ALL = [1, 2, 3, 4, 5, 6];
const SEEN: readonly (readonly [string, TokenWish, readonly number[]])[] = [
  ['INTERNAL with thinking', { thinking: true }, ALL],
  ['INTERNAL', {}, [1, 2, 3, 4, 6]],
  ['PROGRESS', { level: 'progress' }, [1, 3, 4, 6]],
  ['USER', { level: 'user' }, [1, 6]],
];

let door: Door;
let id: SessionId;
const clients: Client[] = [];
beforeAll(async () => {
  door = await Door.open();
  id = await begun();
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.dispose();
});
afterAll(() => door.close());

/** A session in whose running turn the model has narrated, thought and spoken. */
async function begun(): Promise<SessionId> {
  const session = await door.session();
  await door.beginTurn(session);
  for (const event of WRITTEN) await door.record(session, event);
  return session;
}

async function tokenOf(wish: TokenWish, session = id): Promise<string> {
  return (await door.access.mintClientToken(door, session, wish)).token;
}

function clientOf(bearer: string): Client {
  const client = createClient({
    url: door.socketUrl,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${bearer}` },
    retryAttempts: 0,
  });
  clients.push(client);
  return client;
}

async function seqsOf(bearer: string, args: string): Promise<Answer> {
  const query = `query { session(id: "${id}") { ... on Session { events(first: 2${args}) { nodes { seq } pageInfo { hasNextPage endCursor } } } } }`;
  const seqs: number[] = [];
  for (let after = ''; ; ) {
    const { nodes, pageInfo } = (await door.ask(query.replace('first: 2', `first: 2${after}`), {}, bearer))
      .session.events;
    seqs.push(...nodes.map(({ seq }: Answer) => seq));
    if (!pageInfo.hasNextPage) return seqs;
    after = `, after: "${pageInfo.endCursor}"`;
  }
}

describe.each(SEEN)('proves TOKEN-4: a client token of %s', (_name, wish, seen) => {
  it('lists what it may see, page by page, whatever filter it gives', async () => {
    const token = await tokenOf(wish);

    expect(await seqsOf(token, '')).toEqual(seen);
    expect(await seqsOf(token, ', level: INTERNAL')).toEqual(seen);
    expect(await seqsOf(token, ', level: USER')).toEqual([1, 6]);
    expect(await seqsOf(token, ', types: ["agent.thinking", "agent.message"]')).toEqual(
      seen.filter((seq) => seq >= 4),
    );
  });

  it('finds an event that it may see, and for the others there is none', async () => {
    const token = await tokenOf(wish);
    for (const seq of ALL) {
      const query = `query ($s: ID!, $id: ID!) { event(sessionId: $s, id: $id) { __typename ... on Event { seq body fullBody } } }`;
      const { event } = await door.ask(query, { s: id, id: eventIdOf(id, seq) }, token);
      expect(event).toMatchObject(seen.includes(seq) ? { seq } : { __typename: 'EventNotFound' });
    }
  });

  it.each([
    ['by projection', QUICK],
    ['by execution', BY_EXECUTION],
  ])('follows what it may see, old and new, in a group of its own (%s)', async (_how, selection) => {
    const session = await begun();
    const [token, root] = [clientOf(await tokenOf(wish, session)), clientOf(ROOT_KEY)];
    const all = follow(root, session, { deltas: true }, selection);
    const own = follow(token, session, { deltas: true }, selection);
    const late = follow(token, session, { deltas: true, filter: { level: 'INTERNAL' } }, selection);
    for (const one of [all, own, late]) await one.sees('the end of history', caughtUp);
    door.live.delta(session, { callId: 'call-1', kind: 'thinking', offset: 0, text: THOUGHT });
    door.live.delta(session, { callId: 'call-1', offset: 0, text: 'Hel' });
    const has = (follower: Follower, seq: number): Promise<void> =>
      follower.sees(`event ${seq}`, () => follower.seqs().includes(seq));
    await all.sees('all that is written', (frames) =>
      ['ThinkingDelta', 'MessageDelta'].every((kind) => frames.some(({ __typename }) => __typename === kind)),
    );
    for (const event of WRITTEN) await door.record(session, event);
    for (const one of [all, own, late]) await has(one, 9);

    expect(all.seqs()).toEqual([...ALL, 7, 8, 9]);
    const live = seen.filter((seq) => seq > 3).map((seq) => seq + 3);
    for (const one of [own, late]) {
      expect(one.seqs()).toEqual([...seen, ...live]);
      const kinds = new Set(one.frames.map(({ __typename }) => __typename));
      expect(kinds.has('ThinkingDelta')).toBe(wish.thinking === true);
      expect(kinds.has('MessageDelta')).toBe(wish.level !== 'user');
      expect(JSON.stringify(one.frames).includes(THOUGHT)).toBe(wish.thinking === true);
    }
  });

  it('is streamed what it may see over SSE', async () => {
    const over = new AbortController();
    const query = `subscription { sessionEvents(sessionId: "${id}") { ... on EventBatch { events { seq body fullBody } } ... on CaughtUp { cursor } } }`;
    const response = await fetch(door.url, {
      method: 'POST',
      signal: over.signal,
      headers: {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        authorization: `Bearer ${await tokenOf(wish)}`,
      },
      body: JSON.stringify({ query }),
    });
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      if (/"sessionEvents":\{"cursor"/.test(text)) break;
    }
    over.abort();

    expect([...text.matchAll(/"seq":([0-9]+)/g)].map(([, seq]) => Number(seq))).toEqual(seen);
    expect(text.includes(THOUGHT)).toBe(wish.thinking === true);
  });
});

describe('a client token', () => {
  it.each([
    ['by projection', QUICK],
    ['by execution', BY_EXECUTION],
  ])('shares no group with one that sees more (TOKEN-4, %s)', async (_how, selection) => {
    const session = await begun();
    const followers = new Map<boolean, Follower>();
    for (const thinking of [true, false]) {
      const token = await tokenOf({ thinking }, session);
      const follower = follow(clientOf(token), session, { deltas: true }, selection);
      await follower.sees('the end of history', caughtUp);
      followers.set(thinking, follower);
    }
    door.live.delta(session, { callId: 'call-1', kind: 'thinking', offset: 0, text: THOUGHT });
    await door.record(session, thinks(), said('Done.'));

    for (const [thinking, follower] of followers) {
      await follower.sees('the last event', () => follower.seqs().includes(8));
      expect(JSON.stringify(follower.frames).includes(THOUGHT)).toBe(thinking);
      expect(follower.seqs().includes(7)).toBe(thinking);
    }
  });

  it('is told when nothing of what it asks for is ever there for it', async () => {
    const asked = `query { session(id: "${id}") { ... on Session { events(types: ["agent.thinking"]) { nodes { seq } } } } }`;
    const { body } = await door.post(asked, {}, await tokenOf({}));
    expect(body.errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);

    const follower = follow(clientOf(await tokenOf({ level: 'user' })), id, {
      filter: { types: ['tool.call', 'agent.thinking'] },
    });
    await eventually('a refusal', () => follower.failed() !== undefined);
    expect(follower.failed()).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
  });

  it('of the level USER sees the answer, and none that is above its level', async () => {
    const [answered, narrated] = [await begun(), await begun()];
    await door.complete(answered, eventIdOf(answered, 6));
    await door.complete(narrated, eventIdOf(narrated, 4));
    const query = `query ($id: ID!) { session(id: $id) { ... on Session { result { seq } } } }`;
    const resultOf = async (session: SessionId) =>
      (await door.ask(query, { id: session }, await tokenOf({ level: 'user' }, session))).session.result;

    expect(await resultOf(answered)).toEqual({ seq: 6 });
    expect(await resultOf(narrated)).toBeNull();
    expect((await door.ask(query, { id: narrated })).session.result).toEqual({ seq: 4 });
  });

  it.each([
    'turn { usage { totalTokens } }',
    'turn { ... on Turn { modelCalls } }',
    'turns(first: 1) { nodes { usage { totalTokens } } }',
    'turns(first: 1) { edges { node { id modelCalls } } }',
    'usage { costMicroUsd }',
    'why',
    'limits { tokens }',
  ])(
    'proves PAYLOAD-1: below the level INTERNAL is told what is missing before anything is done: %s',
    async (asked) => {
      const scopes = ['read', 'steer', 'cancel'];
      const session = await begun();
      const query = `mutation ($input: SendMessageInput!) { sendMessage(input: $input) { __typename ... on SendMessagePayload { session { id ${asked} } } } }`;
      const variables = { input: { sessionId: session, text: 'go on' } };
      const { head } = await door.sessions.get(session);

      const { body } = await door.post(query, variables, await tokenOf({ level: 'user', scopes }, session));

      expect(body.errors).toMatchObject([
        {
          message: expect.stringMatching(/level USER, and this needs INTERNAL.*without `\w+`/),
          extensions: { code: 'FORBIDDEN' },
        },
      ]);
      expect((await door.sessions.get(session)).head).toBe(head);
      const { sendMessage } = await door.ask(query, variables, await tokenOf({ scopes }, session));
      expect(sendMessage).toMatchObject({ __typename: 'SendMessagePayload', session: { id: session } });
    },
  );
});
