/** API keys and organisations as a client of the API meets them, and what becomes of what is open when a key ends. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { parseId } from '../../src/kernel/id.ts';
import { Outage } from '../../src/kernel/outage.ts';
import { type Answer, Door, ROOT_KEY, textOf } from '../support/door.ts';
import { eventually } from '../support/eventually.ts';

const FAULT = '... on Fault { code message }';
const KEY = 'apiKey { id name scopes createdBy expiresAt rotatedAt overlapEndsAt revokedAt organisationId }';

let door: Door;
beforeAll(async () => {
  door = await Door.open();
});
afterAll(() => door.close());

async function create(input: object, bearer = ROOT_KEY, idempotencyKey?: string): Promise<Answer> {
  const query = `mutation ($input: CreateApiKeyInput!, $key: String) { createApiKey(input: $input, idempotencyKey: $key) {
    __typename ... on CreateApiKeyPayload { ${KEY} value replayed } ${FAULT} } }`;
  const given = { name: 'ci', scopes: ['SESSIONS_READ'], ...input };
  return (await door.ask(query, { input: given, key: idempotencyKey }, bearer)).createApiKey;
}

async function rotate(input: object, bearer = ROOT_KEY): Promise<Answer> {
  const query = `mutation ($input: RotateApiKeyInput!) { rotateApiKey(input: $input) {
    __typename ... on RotateApiKeyPayload { ${KEY} value replayed } ${FAULT} } }`;
  return (await door.ask(query, { input }, bearer)).rotateApiKey;
}

async function revoke(id: string, bearer = ROOT_KEY, organisationId?: string): Promise<Answer> {
  const query = `mutation ($id: ID!, $of: ID) { revokeApiKey(id: $id, organisationId: $of) {
    __typename ... on RevokeApiKeyPayload { ${KEY} replayed } ${FAULT} } }`;
  return (await door.ask(query, { id, of: organisationId }, bearer)).revokeApiKey;
}

describe('an API key', () => {
  it('is made, shown once, listed, rotated and revoked', async () => {
    const all = ['SESSIONS_READ', 'SESSIONS_WRITE'];
    const made = await create({ name: 'nightly build', scopes: all }, ROOT_KEY, 'nightly');
    const { id } = made.apiKey;
    expect(made).toMatchObject({
      apiKey: { name: 'nightly build', scopes: all, revokedAt: null },
      replayed: false,
    });
    expect(await create({ name: 'nightly build', scopes: all }, ROOT_KEY, 'nightly')).toMatchObject({
      apiKey: { id },
      value: null,
      replayed: true,
    });
    expect((await door.post('{ sessions { nodes { id } } }', {}, made.value)).status).toBe(200);

    const rotated = await rotate({ id, overlapSeconds: 600 });
    expect(rotated.apiKey).toMatchObject({
      id,
      rotatedAt: expect.any(String),
      overlapEndsAt: expect.any(String),
    });
    for (const value of [made.value, rotated.value])
      expect((await door.post('{ sessions { nodes { id } } }', {}, value)).status).toBe(200);

    const { apiKeys, apiKey } = await door.ask(
      `query ($id: ID!) { apiKeys(first: 1) { nodes { id name } } apiKey(id: $id) { ... on ApiKey { id name lastUsedAt } } }`,
      { id },
    );
    expect(apiKeys.nodes).toEqual([{ id, name: 'nightly build' }]);
    expect(apiKey).toMatchObject({ id });
    await eventually('its last use is written', async () => (await door.store.keys.byId(id))?.lastUsedAt);

    expect(await revoke(id)).toMatchObject({
      apiKey: { id, revokedAt: expect.any(String) },
      replayed: false,
    });
    expect(await revoke(id)).toMatchObject({ replayed: true });
    for (const value of [made.value, rotated.value])
      expect((await door.post('{ sessions { nodes { id } } }', {}, value)).status).toBe(401);
    expect(await rotate({ id })).toMatchObject({ __typename: 'ApiKeyRevoked', code: 'API_KEY_REVOKED' });
  });

  it('does what its scopes say, and makes none that may do more', async () => {
    const { value: reader } = await create({});
    const { value: maker } = await create({ scopes: ['KEYS_WRITE', 'SESSIONS_READ'] });

    expect(await create({}, maker)).toMatchObject({ __typename: 'CreateApiKeyPayload' });
    expect(await create({ scopes: ['AGENTS_WRITE'] }, maker)).toMatchObject({ code: 'FORBIDDEN' });
    expect(await create({}, reader)).toMatchObject({ code: 'FORBIDDEN' });
    const { body } = await door.post('{ apiKeys { nodes { id } } }', {}, reader);
    expect(body.errors[0].extensions.code).toBe('FORBIDDEN');
    const refused = await door.ask(
      `mutation { createAgent(input: { name: "x", model: "rehearsal/echo", prompt: "p" }) { __typename ${FAULT} } }`,
      {},
      maker,
    );
    expect(refused.createAgent).toMatchObject({ __typename: 'Forbidden' });
  });

  it('is the actor of what it causes, with its name', async () => {
    const { apiKey, value } = await create({ name: 'the CI', scopes: ['SESSIONS_WRITE', 'SESSIONS_READ'] });
    const sessionId = await door.session();

    await door.ask(
      `mutation ($id: ID!) { sendMessage(input: { sessionId: $id, text: "more" }) { __typename } }`,
      { id: sessionId },
      value,
    );

    const events = `events(first: 9) { nodes { type actor { kind id display } } }`;
    const { session } = await door.ask(
      `query ($id: ID!) { session(id: $id) { ... on Session { ${events} } } }`,
      {
        id: sessionId,
      },
    );
    expect(session.events.nodes.at(-1)).toEqual({
      type: 'user.message',
      actor: { kind: 'HUMAN', id: apiKey.id, display: 'the CI' },
    });
  });
});

describe('an organisation', () => {
  const make = async (name: string, bearer = ROOT_KEY, key?: string): Promise<Answer> => {
    const query = `mutation ($name: String!, $key: String) { createOrganisation(name: $name, idempotencyKey: $key) {
      __typename ... on CreateOrganisationPayload { organisation { id name } replayed } ${FAULT} } }`;
    return (await door.ask(query, { name, key }, bearer)).createOrganisation;
  };

  it('is made by an operator, who makes its first key; that one is at home there and nowhere else', async () => {
    const { organisation } = await make('acme', ROOT_KEY, 'acme');
    const { id: organisationId } = organisation;
    expect(await make('acme', ROOT_KEY, 'acme')).toMatchObject({ organisation, replayed: true });
    expect(await make('acme')).toMatchObject({ __typename: 'OrganisationNameTaken' });
    const scopes = ['KEYS_WRITE', 'SESSIONS_READ', 'SESSIONS_WRITE'];
    const { apiKey, value } = await create({ name: 'acme admin', scopes, organisationId });
    expect(apiKey).toMatchObject({ organisationId, createdBy: null });
    const sessionId = await door.session();

    const seen = await door.ask(
      `query ($id: ID!, $key: ID!) { session(id: $id) { __typename } sessions { nodes { id } } apiKey(id: $key) { __typename }
        apiKeys { nodes { id } } }`,
      { id: sessionId, key: (await create({})).apiKey.id },
      value,
    );
    expect(seen).toEqual({
      session: { __typename: 'SessionNotFound' },
      sessions: { nodes: [] },
      apiKey: { __typename: 'ApiKeyNotFound' },
      apiKeys: { nodes: [{ id: apiKey.id }] },
    });
    expect(await make('other', value)).toMatchObject({ code: 'FORBIDDEN' });
    expect(await create({ organisationId: door.organisationId }, value)).toMatchObject({ code: 'FORBIDDEN' });
    expect(await create({ organisationId }, value)).toMatchObject({ __typename: 'CreateApiKeyPayload' });
    expect(await revoke(apiKey.id, value)).toMatchObject({ __typename: 'LastKey', code: 'LAST_KEY' });
    expect(await revoke(apiKey.id)).toMatchObject({ code: 'API_KEY_NOT_FOUND' });
    expect(await revoke(apiKey.id, ROOT_KEY, organisationId)).toMatchObject({ replayed: false });
  });

  it('is listed and looked up by operators, newest first', async () => {
    const { organisation } = await make('newest');
    const query = `query ($id: ID!) { organisations { nodes { id name } } organisation(id: $id) { ... on Organisation { name } ${FAULT} } }`;

    const { organisations, organisation: found } = await door.ask(query, { id: organisation.id });
    expect(organisations.nodes[0]).toEqual(organisation);
    expect(organisations.nodes.at(-1)).toEqual({ id: door.organisationId, name: 'first' });
    expect(found).toEqual({ name: 'newest' });
    const never = await door.ask(query, { id: `org_${'0'.repeat(24)}` });
    expect(never.organisation).toMatchObject({ code: 'ORGANISATION_NOT_FOUND' });
    const unknown = await create({ organisationId: `org_${'0'.repeat(24)}` });
    expect(unknown).toMatchObject({ code: 'ORGANISATION_NOT_FOUND' });
  });
});

describe('what is open when its key ends', () => {
  const ENDS = [
    ['is revoked', 'The API key was revoked.', (id: string) => revoke(id)],
    [
      'is rotated without an overlap',
      'The API key was rotated: use its new value.',
      (id: string) => rotate({ id, overlapSeconds: 0 }),
    ],
    [
      'expires',
      'The API key has expired.',
      (id: string) =>
        door.store.keys.update(door.organisationId, parseId('apiKey', id), (key) => ({
          ...key,
          expiresAt: 1,
        })),
    ],
  ] as const;

  it.each(ENDS)('proves ACCESS-2: when it %s, its sockets are closed with 4403', async (_how, why, end) => {
    const { apiKey, value } = await create({});
    const { value: other } = await create({});
    const sessionId = await door.session();
    const [socket, stays] = [await follower(value, sessionId), await follower(other, sessionId)];

    await end(apiKey.id);

    await eventually('it is closed', () => socket.closed);
    expect(socket.closed).toEqual({ code: 4403, reason: why });
    expect(stays.closed).toBeUndefined();
    stays.ws.terminate();
  });

  it.each(ENDS)('proves ACCESS-2: when it %s, its streams end with an error', async (_how, why, end) => {
    const { apiKey, value } = await create({});
    const sessionId = await door.session();
    const response = await fetch(door.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        authorization: `Bearer ${value}`,
      },
      body: JSON.stringify({ query: FOLLOW, variables: { id: sessionId } }),
    });
    let text = '';
    const ended = (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of response.body ?? []) text += decoder.decode(chunk);
    })();
    await eventually('it follows', () => text.includes('CaughtUp'));

    await end(apiKey.id);

    await ended;
    expect(text).toContain(why);
    expect(text).toContain('"FORBIDDEN"');
    expect(text).toContain('event: complete');
    await eventually('no reader is left', () => door.readers([sessionId]) === 0);
  });

  it('goes on while the store does not answer (proves ACCESS-3)', async () => {
    const { apiKey, value } = await create({});
    const socket = await follower(value, await door.session());
    const { keys } = door.store;
    const byId = keys.byId.bind(keys);
    let looks = 0;
    keys.byId = () => {
      looks += 1;
      return Promise.reject(new Outage('TIMEOUT', 'The database does not answer.'));
    };

    await revoke(apiKey.id);
    await eventually('it was looked up twice', () => looks > 2);
    expect(socket.closed).toBeUndefined();
    keys.byId = byId;

    await eventually('it is closed', () => socket.closed);
    expect(socket.closed?.code).toBe(4403);
  });

  it('is asked for again with each operation: a revoked key begins none, before the watch looks (proves ACCESS-1)', async () => {
    const { apiKey, value } = await create({});
    const socket = await follower(value, await door.session());
    await revoke(apiKey.id);

    socket.ws.send(
      JSON.stringify({ type: 'subscribe', id: 'more', payload: { query: '{ sessions { nodes { id } } }' } }),
    );

    await eventually('it is closed', () => socket.closed);
    expect(socket.closed?.code).toBe(4403);
    expect(socket.messages.filter(({ id, type }) => id === 'more' && type === 'next')).toEqual([]);
  });
});

const FOLLOW = `subscription ($id: ID!) { sessionEvents(sessionId: $id) { __typename ... on CaughtUp { cursor } } }`;

/** A socket that follows the session, and what became of it. */
async function follower(bearer: string, sessionId: string) {
  const ws = new WebSocket(door.socketUrl, 'graphql-transport-ws');
  const messages: Answer[] = [];
  const followed: { ws: WebSocket; messages: Answer[]; closed?: { code: number; reason: string } } = {
    ws,
    messages,
  };
  ws.on('message', (data) => messages.push(JSON.parse(textOf(data))));
  ws.once('close', (code, reason) => {
    followed.closed = { code, reason: String(reason) };
  });
  await new Promise((resolve) => ws.once('open', resolve));
  ws.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${bearer}` } }));
  await eventually('it is let in', () => messages.some(({ type }) => type === 'connection_ack'));
  ws.send(
    JSON.stringify({ type: 'subscribe', id: '1', payload: { query: FOLLOW, variables: { id: sessionId } } }),
  );
  await eventually('it follows', () => messages.some(({ payload }) => payload?.data?.sessionEvents.cursor));
  return followed;
}
