/** Client tokens at the doors: what they are minted for, what they may do, how they are renewed, revoked and bounded. */
import { type Client, createClient } from 'graphql-ws';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { mintToken } from '../../src/access/token.ts';
import { narrowToken } from '../../src/client/narrow-token.ts';
import { newId, type SessionId } from '../../src/kernel/id.ts';
import { type Answer, Door, said } from '../support/door.ts';
import { eventually } from '../support/eventually.ts';
import { FAULT, operationsOf } from '../support/operations.ts';

let door: Door;
let own: ReturnType<typeof operationsOf>;
const clients: Client[] = [];
/** Why each socket was closed. */
let closed: string[] = [];
beforeAll(async () => {
  door = await Door.open();
  own = operationsOf(door);
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.dispose();
  closed = [];
});
afterAll(() => door.close());

const TOKEN = 'token scopes level thinking messagesPerMinute expiresAt renewableUntil';

async function create(sessionId: SessionId, args = ''): Promise<Answer> {
  const query = `mutation { createClientToken(sessionId: "${sessionId}"${args}) {
    ... on CreateClientTokenPayload { clientToken { ${TOKEN} } } ${FAULT} } }`;
  return (await door.ask(query)).createClientToken;
}

async function tokenOf(sessionId: SessionId, args = ''): Promise<string> {
  return (await create(sessionId, args)).clientToken.token;
}

const ROOT = 'sessionEvents(sessionId: $id) { ... on EventBatch { events { seq } } }';
const RENEW = `mutation { renewClientToken { ... on RenewClientTokenPayload { clientToken { ${TOKEN} } } ${FAULT} } }`;

function clientOf(bearer: string): Client {
  const client = createClient({
    url: door.socketUrl,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${bearer}` },
    retryAttempts: 0,
    lazy: false,
    onNonLazyError: () => undefined,
    on: { closed: (event) => closed.push(`${(event as CloseEvent).code} ${(event as CloseEvent).reason}`) },
  });
  clients.push(client);
  return client;
}

async function sent(client: Client, query: string): Promise<Answer> {
  const { value } = await client.iterate<Answer>({ query }).next();
  return value?.data;
}

describe('createClientToken', () => {
  it('answers what the token is', async () => {
    const id = await door.session();

    expect((await create(id)).clientToken).toMatchObject({
      scopes: ['READ', 'STEER'],
      level: 'INTERNAL',
      thinking: false,
      messagesPerMinute: 60,
    });
    const { clientToken } = await create(
      id,
      ', scopes: [CANCEL, ANSWER], level: USER, ttlSeconds: 60, renewableSeconds: 0, messagesPerMinute: 5',
    );
    expect(clientToken).toMatchObject({ scopes: ['CANCEL', 'ANSWER'], level: 'USER', messagesPerMinute: 5 });
    expect(Date.parse(clientToken.renewableUntil)).toBeLessThan(Date.parse(clientToken.expiresAt));
    expect(await create(id, ', thinking: true, level: USER')).toMatchObject({ code: 'INVALID_INPUT' });
  });
});

describe('a client token', () => {
  it('with CANCEL alone is a Stop button, and nothing else', async () => {
    const id = await door.session();
    await door.beginTurn(id);
    const token = await tokenOf(id, ', scopes: [CANCEL]');

    expect(await own.sendMessage({ sessionId: id, text: 'x' }, undefined, token)).toMatchObject({
      code: 'FORBIDDEN',
    });
    expect(await own.session(id, 'id', token)).toMatchObject({ code: 'FORBIDDEN' });
    expect(await own.onSession('archiveSession', id, undefined, token)).toMatchObject({ code: 'FORBIDDEN' });
    expect(await own.onSession('cancelTurn', await door.session(), undefined, token)).toMatchObject({
      code: 'SESSION_NOT_FOUND',
    });
    expect(await own.onSession('cancelTurn', id, undefined, token)).toMatchObject({ replayed: false });
    expect((await own.session(id, 'why')).why).toMatch(/being cancel/);
  });

  it('with ANSWER alone speaks while the agent waits for an answer, once for each question (TOKEN-5)', async () => {
    const id = await door.session();
    await door.beginTurn(id);
    const token = await tokenOf(id, ', scopes: [ANSWER]');
    const ask = `mutation { sendMessage(input: { sessionId: "${id}", text: "yes" }, idempotencyKey: "a-1") {
      ... on SendMessagePayload { replayed session { id status } } ${FAULT} } }`;
    const answer = async () => (await door.ask(ask, {}, token)).sendMessage;
    expect(await answer()).toMatchObject({
      code: 'FORBIDDEN',
      message: expect.stringContaining('asks nothing'),
    });

    const { session } = await door.runs.get(id);
    const completed = { kind: 'completeTurn', outcome: 'needs_input' } as const;
    const seen = {
      type: 'model.started',
      actor: { kind: 'agent' },
      body: { callId: 'c', inputToSeq: 1 },
    } as const;
    await door.record(id, seen);
    await door.runs.write(id, session.epoch, undefined, completed);

    expect(await answer()).toEqual({
      __typename: 'SendMessagePayload',
      replayed: false,
      session: { id, status: 'QUEUED' },
    });
    expect(await answer()).toMatchObject({ replayed: true });
    expect((await door.ask(ask.replace('a-1', 'a-2'), {}, token)).sendMessage).toMatchObject({
      code: 'FORBIDDEN',
    });
  });

  it('sends so many messages in a minute, and is told when the next is taken; stopping is counted apart (TOKEN-7)', async () => {
    const id = await door.session();
    const token = await tokenOf(id, ', scopes: [STEER, CANCEL], messagesPerMinute: 2');
    const narrow = await narrowToken(token, { scopes: ['STEER'] });
    const send = `mutation { sendMessage(input: { sessionId: "${id}", text: "x" }) { ${FAULT} ... on RateLimited { retryAfterMs } } }`;
    await door.ask(send, {}, token);
    await door.ask(send, {}, narrow);
    const { head } = await own.session(id, 'head');

    const { sendMessage } = await door.ask(send, {}, token);
    expect(sendMessage).toMatchObject({ __typename: 'RateLimited', code: 'RATE_LIMITED' });
    expect(sendMessage.retryAfterMs).toBeGreaterThan(0);
    expect(sendMessage.retryAfterMs).toBeLessThanOrEqual(30_000);
    expect((await own.session(id, 'head')).head).toBe(head);
    expect(await own.onSession('cancelTurn', id, undefined, token)).toMatchObject({ replayed: false });
    expect(await own.sendMessage({ sessionId: id, text: 'a key is not counted' })).toMatchObject({
      replayed: false,
    });
  });
});

describe('renewClientToken', () => {
  it('gives a token the same for longer, and no key', async () => {
    const id = await door.session();
    const token = await tokenOf(id, ', scopes: [READ], level: PROGRESS, ttlSeconds: 60');
    const renewed = (await door.ask(RENEW, {}, token)).renewClientToken.clientToken;

    expect(renewed).toMatchObject({ scopes: ['READ'], level: 'PROGRESS' });
    expect((await own.session(id, 'id', renewed.token)).id).toBe(id);
    expect((await door.ask(RENEW)).renewClientToken).toMatchObject({ code: 'FORBIDDEN' });
    const never = await tokenOf(id, ', renewableSeconds: 0');
    expect((await door.ask(RENEW, {}, never)).renewClientToken).toMatchObject({ code: 'FORBIDDEN' });
  });

  it.each([
    ['by a follower', ROOT],
    ['by execution', '...Root'],
  ])(
    'proves TOKEN-9: on a socket takes the place of the old one: what is followed goes on (%s)',
    async (_how, root) => {
      const id = await door.session();
      await door.beginTurn(id);
      const expiresAt = Date.now() + 1_500;
      const { organisationId } = door;
      const claims = { kind: 'client', organisationId, sessionId: id, scopes: ['read'], expiresAt } as const;
      const token = mintToken(
        { ...claims, ttlSeconds: 60, renewableUntil: expiresAt + 60_000 },
        door.signingKey,
      );
      const [renewing, ending] = [clientOf(token), clientOf(token)];
      const followers = [renewing, ending].map((client) => {
        const seqs: number[] = [];
        let isOver = false;
        const ended = (): boolean => (isOver = true);
        const query = `subscription ($id: ID!) { ${root} }${root === ROOT ? '' : ` fragment Root on Subscription { ${ROOT} }`}`;
        client.subscribe<Answer>(
          { query, variables: { id } },
          {
            next: ({ data }) =>
              seqs.push(...(data?.sessionEvents.events ?? []).map(({ seq }: Answer) => seq)),
            error: ended,
            complete: ended,
          },
        );
        return { seqs, isOver: () => isOver };
      });
      for (const { seqs } of followers) await eventually('history', () => seqs.includes(3));

      const { renewClientToken } = await sent(renewing, RENEW);
      await eventually('the end of the token that was not renewed', () => followers[1]?.isOver() === true);
      await eventually('the end of the first token', () => Date.now() > expiresAt + 250);
      await door.record(id, said('later'));
      await eventually('what came later', () => followers[0]?.seqs.includes(4) === true);

      expect(closed.filter((reason) => !reason.startsWith('1000'))).toEqual([
        '4401 The client token has expired.',
      ]);
      expect(followers[0]?.isOver()).toBe(false);
      expect(Date.parse(renewClientToken.clientToken.expiresAt)).toBeGreaterThan(expiresAt);
      expect((await sent(renewing, `{ session(id: "${id}") { ... on Session { id } } }`)).session).toEqual({
        id,
      });
    },
  );
});

describe('revokeClientTokens', () => {
  const revoke = async (args: string, bearer?: string): Promise<Answer> =>
    (
      await door.ask(
        `mutation { revokeClientTokens(${args}) { ... on RevokeClientTokensPayload { sessionId keyId replayed } ${FAULT} } }`,
        {},
        bearer,
      )
    ).revokeClientTokens;

  it('ends the tokens of a session at once, with what came of them', async () => {
    const id = await door.session();
    const [token, untouched] = [await tokenOf(id), await tokenOf(await door.session())];
    const all = [
      token,
      await narrowToken(token, { scopes: ['READ'] }),
      (await door.ask(RENEW, {}, token)).renewClientToken.clientToken.token,
    ];

    expect(await revoke(`sessionId: "${id}"`)).toMatchObject({ sessionId: id, keyId: null, replayed: false });

    for (const one of all) {
      const { status, body } = await door.post('{ __typename }', {}, one);
      expect([status, body.errors[0].extensions.code]).toEqual([401, 'UNAUTHENTICATED']);
    }
    expect((await door.post('{ __typename }', {}, untouched)).status).toBe(200);
    expect((await own.session(id, 'id', await tokenOf(id))).id).toBe(id);
  });

  it('closes their sockets with 4403 and ends their streams, and leaves others open (TOKEN-6)', async () => {
    const [id, other] = [await door.session(), await door.session()];
    const [mine, theirs] = [await tokenOf(id), await tokenOf(other)];
    const over = new AbortController();
    const stream = await fetch(door.url, {
      method: 'POST',
      signal: over.signal,
      headers: {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        authorization: `Bearer ${mine}`,
      },
      body: JSON.stringify({ query: `subscription { sessionEvents(sessionId: "${id}") { __typename } }` }),
    });
    const ended = stream.text();
    for (const [bearer, session] of [
      [mine, id],
      [theirs, other],
    ] as const) {
      const client = clientOf(bearer);
      expect((await sent(client, `{ session(id: "${session}") { ... on Session { id } } }`)).session.id).toBe(
        session,
      );
    }

    await revoke(`sessionId: "${id}"`);

    await eventually('the end of the socket', () => closed.length > 0);
    expect(closed).toEqual(['4403 The client tokens of this session were revoked.']);
    expect(await ended).toContain('FORBIDDEN');
    expect((await door.post('{ __typename }', {}, theirs)).status).toBe(200);
  });

  it('of a key ends those that it made, and so does the end of the key itself', async () => {
    const id = await door.session();
    const make = `mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { ... on CreateApiKeyPayload { apiKey { id } value } ${FAULT} } }`;
    const keyed = async (): Promise<{ keyId: string; token: string }> => {
      const input = { name: 'back end', scopes: ['SESSIONS_READ', 'SESSIONS_WRITE'] };
      const { apiKey, value } = (await door.ask(make, { input })).createApiKey;
      const { clientToken } = await own.createClientToken({ sessionId: id }, value);
      return { keyId: apiKey.id, token: clientToken.token };
    };
    const [one, two, three] = [await keyed(), await keyed(), await keyed()];

    expect(await revoke(`keyId: "${one.keyId}"`)).toMatchObject({ sessionId: null, keyId: one.keyId });
    expect((await door.post('{ __typename }', {}, one.token)).status).toBe(401);
    await door.ask(`mutation { revokeApiKey(id: "${two.keyId}") { __typename } }`);
    await eventually(
      'the end of the other',
      async () => (await door.post('{ __typename }', {}, two.token)).status === 401,
    );
    expect((await door.post('{ __typename }', {}, three.token)).status).toBe(200);
    expect(await revoke(`keyId: "${newId('apiKey')}"`)).toMatchObject({ code: 'API_KEY_NOT_FOUND' });
  });

  it('needs one session or one key that is there, and an API key', async () => {
    const id = await door.session();
    for (const args of [
      'idempotencyKey: "k"',
      `sessionId: "${id}", keyId: "${newId('apiKey')}"`,
      'keyId: "x"',
    ])
      expect(await revoke(args)).toMatchObject({ code: 'INVALID_INPUT' });
    expect(await revoke(`sessionId: "${newId('session')}"`)).toMatchObject({ code: 'SESSION_NOT_FOUND' });
    expect(await revoke(`sessionId: "${id}"`, await tokenOf(id))).toMatchObject({ code: 'FORBIDDEN' });
  });
});
