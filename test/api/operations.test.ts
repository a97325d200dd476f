/** Queries and mutations over HTTP: what they answer, and each Fault that they list. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventIdOf, newId, type SessionId } from '../../src/kernel/id.ts';
import { PENDING_MESSAGES_MAX } from '../../src/kernel/limit.ts';
import { type Answer, Door, said } from '../support/door.ts';

let door: Door;
beforeAll(async () => {
  door = await Door.open({}, { eventsMax: 1_100 });
});
afterAll(() => door.close());

const FAULT = '__typename ... on Fault { code message }';
const MODEL = 'anthropic/claude-sonnet-5';
const KEY = 'sk-test-0123456789';

async function createAgent(input: object, idempotencyKey?: string): Promise<Answer> {
  const query = `mutation ($input: CreateAgentInput!, $key: String) { createAgent(input: $input, idempotencyKey: $key) {
    ... on CreateAgentPayload { agent { id name model prompt revision credentialId limits { tokens turns } } replayed } ${FAULT} } }`;
  return (
    await door.ask(query, { input: { model: MODEL, prompt: 'Be brief.', ...input }, key: idempotencyKey })
  ).createAgent;
}

async function updateAgent(input: object): Promise<Answer> {
  const query = `mutation ($input: UpdateAgentInput!) { updateAgent(input: $input) {
    ... on UpdateAgentPayload { agent { revision prompt credentialId } replayed } ${FAULT} } }`;
  return (await door.ask(query, { input })).updateAgent;
}

async function createCredential(input: object, idempotencyKey?: string): Promise<Answer> {
  const query = `mutation ($input: CreateCredentialInput!, $key: String) { createCredential(input: $input, idempotencyKey: $key) {
    ... on CreateCredentialPayload { credential { id name last4 isDefault } replayed } ${FAULT} } }`;
  return (
    await door.ask(query, { input: { provider: 'anthropic', key: KEY, ...input }, key: idempotencyKey })
  ).createCredential;
}

async function updateCredential(input: object): Promise<Answer> {
  const query = `mutation ($input: UpdateCredentialInput!) { updateCredential(input: $input) {
    ... on UpdateCredentialPayload { credential { name last4 isDefault } replayed } ${FAULT} } }`;
  return (await door.ask(query, { input })).updateCredential;
}

async function deleteCredential(id: string, idempotencyKey?: string): Promise<Answer> {
  const query = `mutation ($id: ID!, $key: String) { deleteCredential(id: $id, idempotencyKey: $key) {
    ... on DeleteCredentialPayload { id replayed } ${FAULT} } }`;
  return (await door.ask(query, { id, key: idempotencyKey })).deleteCredential;
}

async function startSession(input: object, idempotencyKey?: string, bearer?: string): Promise<Answer> {
  const query = `mutation ($input: StartSessionInput!, $key: String) { startSession(input: $input, idempotencyKey: $key) {
    ... on StartSessionPayload { session { id status key metadata limits { turns } } clientToken { token scopes expiresAt } turnId cursor replayed }
    ${FAULT} } }`;
  return (await door.ask(query, { input, key: idempotencyKey }, bearer)).startSession;
}

async function sendMessage(input: object, idempotencyKey?: string, bearer?: string): Promise<Answer> {
  const query = `mutation ($input: SendMessageInput!, $key: String) { sendMessage(input: $input, idempotencyKey: $key) {
    ... on SendMessagePayload { eventId cursor turnId session { id status pendingCount } replayed } ${FAULT} } }`;
  return (await door.ask(query, { input, key: idempotencyKey }, bearer)).sendMessage;
}

async function onSession(
  mutation: 'cancelTurn' | 'archiveSession',
  sessionId: string,
  idempotencyKey?: string,
  bearer?: string,
): Promise<Answer> {
  const payload = mutation === 'cancelTurn' ? 'CancelTurnPayload' : 'ArchiveSessionPayload';
  const query = `mutation ($id: ID!, $key: String) { ${mutation}(sessionId: $id, idempotencyKey: $key) {
    ... on ${payload} { session { status } replayed } ${FAULT} } }`;
  return (await door.ask(query, { id: sessionId, key: idempotencyKey }, bearer))[mutation];
}

async function createClientToken(variables: object, bearer?: string): Promise<Answer> {
  const query = `mutation ($sessionId: ID!, $scopes: [ClientScope!], $ttlSeconds: Int) {
    createClientToken(sessionId: $sessionId, scopes: $scopes, ttlSeconds: $ttlSeconds) {
      ... on CreateClientTokenPayload { clientToken { token scopes expiresAt } replayed } ${FAULT} } }`;
  return (await door.ask(query, variables, bearer)).createClientToken;
}

async function session(id: string, fields: string, bearer?: string): Promise<Answer> {
  const query = `query ($id: ID!) { session(id: $id) { ... on Session { ${fields} } ${FAULT} } }`;
  return (await door.ask(query, { id }, bearer)).session;
}

const aToken = (sessionId: SessionId, scopes?: readonly string[]): string =>
  door.access.mintClientToken(sessionId, { scopes }).token;

describe('agents', () => {
  it('are defined once and replayed, and found by id and by name', async () => {
    const { agent, replayed } = await createAgent({ name: 'first', limits: { tokens: 5_000_000_000 } });
    const again = await createAgent({ name: 'first', limits: { tokens: 5_000_000_000 } });
    const byId = await door.ask(`{ agent(id: "${agent.id}") { ... on Agent { name } } }`);
    const byName = await door.ask('{ agent(name: "first") { ... on Agent { id } } }');

    expect([replayed, again.replayed, again.agent]).toEqual([false, true, agent]);
    expect(agent).toMatchObject({
      name: 'first',
      model: MODEL,
      revision: 1,
      limits: { tokens: 5_000_000_000, turns: null },
    });
    expect([byId.agent.name, byName.agent.id]).toEqual(['first', agent.id]);
  });

  it('make a revision when the prompt changes, and none when nothing does', async () => {
    const { agent } = await createAgent({ name: 'changing' });

    expect(await updateAgent({ id: agent.id, prompt: 'Be long.' })).toMatchObject({
      agent: { revision: 2, prompt: 'Be long.' },
      replayed: false,
    });
    expect(await updateAgent({ id: agent.id, prompt: 'Be long.' })).toMatchObject({
      agent: { revision: 2 },
      replayed: true,
    });
  });

  it('keep an inline key as a credential, and give it up for the default', async () => {
    const { agent } = await createAgent({ name: 'with a key', key: 'sk-inline-0123' });
    const { credential } = await door.ask(
      `{ credential(id: "${agent.credentialId}") { ... on Credential { last4 } } }`,
    );

    expect(credential.last4).toBe('0123');
    expect(await updateAgent({ id: agent.id, credentialId: null })).toMatchObject({
      agent: { credentialId: null },
    });
  });

  it('refuse with a typed Fault', async () => {
    await createAgent({ name: 'taken' });
    await createAgent({ name: 'keyed' }, 'agent-key');

    expect(await createAgent({ name: 'taken', prompt: 'Another.' })).toMatchObject({
      __typename: 'AgentNameTaken',
    });
    expect(await createAgent({ name: 'keyed too' }, 'agent-key')).toMatchObject({
      __typename: 'IdempotencyConflict',
    });
    expect(await createAgent({ name: '!' })).toMatchObject({
      __typename: 'InvalidInput',
      code: 'INVALID_INPUT',
    });
    expect(await createAgent({ name: 'no credential', credentialId: newId('credential') })).toMatchObject({
      __typename: 'CredentialNotFound',
    });
    expect(await updateAgent({ id: newId('agent'), prompt: 'x' })).toMatchObject({
      __typename: 'AgentNotFound',
    });
    expect(await updateAgent({ id: 'agt_1', prompt: 'x' })).toMatchObject({ __typename: 'InvalidInput' });
    const { agent: unknown } = await door.ask(`{ agent(name: "nobody") { ${FAULT} } }`);
    const { agent: both } = await door.ask(`{ agent { ${FAULT} } }`);
    expect([unknown.__typename, both.__typename]).toEqual(['AgentNotFound', 'InvalidInput']);
  });
});

describe('credentials', () => {
  it('are stored, rotated, renamed and deleted, and never show the key', async () => {
    const { credential, replayed } = await createCredential({ name: 'mine' }, 'cred-key');
    const again = await createCredential({ name: 'mine' }, 'cred-key');
    const rotated = await updateCredential({ id: credential.id, key: 'sk-test-rotated-9999' });
    const renamed = await updateCredential({ id: credential.id, name: 'ours' });
    const deleted = await deleteCredential(credential.id);

    expect([replayed, again.replayed, credential.last4]).toEqual([false, true, '6789']);
    expect(rotated).toMatchObject({ credential: { last4: '9999', name: 'mine' }, replayed: false });
    expect(renamed).toMatchObject({ credential: { name: 'ours' }, replayed: false });
    expect(await updateCredential({ id: credential.id, name: 'x' })).toMatchObject({
      __typename: 'CredentialNotFound',
    });
    expect(deleted).toMatchObject({ id: credential.id, replayed: false });
    expect(await deleteCredential(credential.id, 'delete-key')).toMatchObject({ replayed: true });
    expect(door.logs).not.toContain(KEY);
  });

  it('refuse with a typed Fault', async () => {
    await createCredential({ name: 'a' }, 'conflict-key');

    expect(await createCredential({ name: 'b' }, 'conflict-key')).toMatchObject({
      __typename: 'IdempotencyConflict',
    });
    expect(await createCredential({ provider: 'nobody' })).toMatchObject({ __typename: 'InvalidInput' });
    expect(await deleteCredential(newId('credential'))).toMatchObject({ __typename: 'CredentialNotFound' });
    const { credential } = await door.ask(`{ credential(id: "${newId('credential')}") { ${FAULT} } }`);
    expect(credential.__typename).toBe('CredentialNotFound');
  });
});

describe('sessions', () => {
  it('start with a client token and replay by key', async () => {
    await createAgent({ name: 'starter' });
    const input = {
      agent: 'starter',
      input: 'Do it.',
      key: 'my-session',
      metadata: { ticket: 7 },
      limits: { turns: 3 },
    };
    const started = await startSession(input);
    const again = await startSession(input);

    expect(started).toMatchObject({
      session: { status: 'QUEUED', key: 'my-session', metadata: { ticket: 7 }, limits: { turns: 3 } },
      clientToken: { scopes: ['READ', 'STEER'] },
      replayed: false,
    });
    expect(again).toMatchObject({
      session: { id: started.session.id },
      turnId: started.turnId,
      replayed: true,
    });
    expect(await startSession({ ...input, input: 'Do something else.' })).toMatchObject({
      __typename: 'IdempotencyConflict',
    });
    expect(await startSession({ ...input, key: '' })).toMatchObject({ __typename: 'InvalidInput' });
    expect(await startSession({ agent: 'nobody', input: 'x' })).toMatchObject({
      __typename: 'AgentNotFound',
    });
    expect(await startSession({ agent: 'starter', input: 'x', metadata: 'text' })).toMatchObject({
      __typename: 'InvalidInput',
    });
  });

  it('need a credential when the server has no key', async () => {
    const poor = await Door.open({ serverKey: false });
    await poor.agents.create({ name: 'poor', model: MODEL, prompt: 'x' });
    const query = `mutation { startSession(input: { agent: "poor", input: "x" }) { ${FAULT} } }`;
    const { startSession: refused } = await poor.ask(query);
    await poor.close();

    expect(refused.__typename).toBe('NoCredential');
  });

  it('are listed newest first, a page at a time, by status, agent and key', async () => {
    const { agent } = await createAgent({ name: 'listed' });
    const ids: string[] = [];
    for (const key of ['a', 'b', 'c'])
      ids.unshift((await startSession({ agent: 'listed', input: key, key: `listed-${key}` })).session.id);
    const page = `query ($agentId: ID, $after: String, $status: SessionStatus, $key: String) {
      sessions(first: 2, agentId: $agentId, after: $after, status: $status, key: $key) {
        nodes { id } edges { cursor node { id } } pageInfo { hasNextPage endCursor } } }`;
    const { sessions: first } = await door.ask(page, { agentId: agent.id });
    const { sessions: second } = await door.ask(page, { agentId: agent.id, after: first.pageInfo.endCursor });
    const { sessions: byKey } = await door.ask(page, { key: 'listed-b' });
    const { sessions: none } = await door.ask(page, { agentId: agent.id, status: 'FAILED' });

    expect(first.nodes.map(({ id }: Answer) => id)).toEqual(ids.slice(0, 2));
    expect(first.pageInfo.hasNextPage).toBe(true);
    expect(first.edges[1].cursor).toBe(first.pageInfo.endCursor);
    expect(second).toMatchObject({ nodes: [{ id: ids[2] }], pageInfo: { hasNextPage: false } });
    expect(byKey.nodes).toEqual([{ id: ids[1] }]);
    expect(none).toMatchObject({ nodes: [], pageInfo: { hasNextPage: false, endCursor: null } });
  });

  it.each(['0', '501', '-1'])('refuse a page of %s', async (first) => {
    const { body } = await door.post(`{ sessions(first: ${first}) { nodes { id } } }`);

    expect(body.errors[0].extensions.code).toBe('INVALID_INPUT');
  });

  it('refuse the cursor of another list', async () => {
    const { agents } = await door.ask('{ agents(first: 1) { pageInfo { endCursor } } }');
    const { body } = await door.post(`{ sessions(after: "${agents.pageInfo.endCursor}") { nodes { id } } }`);

    expect(body.errors[0].extensions.code).toBe('INVALID_INPUT');
  });

  it('tell their story: turns, events, result, and why', async () => {
    const id = await door.session('the task');
    await door.beginTurn(id);
    const running = await session(id, 'status why lease { owner epoch } turn { number state }');
    await door.record(id, said('the answer'));
    await door.complete(id, eventIdOf(id, 4));
    const done = await session(
      id,
      `status why head cursor turnCount hibernated agent { name }
      turns(first: 1) { nodes { number outcome usage { totalTokens } } pageInfo { hasNextPage } }
      events(types: ["agent.message"]) { nodes { id seq ... on AgentMessage { text } } pageInfo { hasNextPage endCursor } }
      result { id ... on AgentMessage { text } }`,
    );
    const { event } = await door.ask(
      `query ($s: ID!, $e: ID!) { event(sessionId: $s, id: $e) { ... on AgentMessage { text fullBody } ${FAULT} } }`,
      { s: id, e: done.events.nodes[0].id },
    );

    expect(running).toMatchObject({
      status: 'RUNNING',
      lease: { owner: 'test', epoch: 1 },
      turn: { number: 1, state: 'RUNNING' },
    });
    expect(running.why).toMatch(/^Turn 1 runs since /);
    expect(done).toMatchObject({
      status: 'IDLE',
      turnCount: 1,
      head: 6,
      agent: { name: 'door' },
      result: { text: 'the answer' },
    });
    expect(done.turns).toEqual({
      nodes: [{ number: 1, outcome: 'COMPLETED', usage: { totalTokens: 0 } }],
      pageInfo: { hasNextPage: false },
    });
    expect(done.events).toMatchObject({
      nodes: [{ text: 'the answer' }],
      pageInfo: { hasNextPage: false, endCursor: done.cursor },
    });
    expect(event).toMatchObject({
      __typename: 'AgentMessage',
      text: 'the answer',
      fullBody: { callId: 'call-1', text: 'the answer' },
    });
  });

  it('keep a large body beside the event, and give it whole', async () => {
    const text = 'long '.repeat(20_000);
    const id = await door.session(text);
    const { events } = await session(
      id,
      'events { nodes { bodyTruncated bodyBytes fullBody ... on UserMessage { text } } }',
    );

    expect(events.nodes[0]).toMatchObject({ bodyTruncated: true, fullBody: { text } });
    expect(events.nodes[0].bodyBytes).toBeGreaterThan(100_000);
    expect(events.nodes[0].text.length).toBeLessThan(10_000);
  });

  it('answer typed Faults for what is not there', async () => {
    const id = await door.session();
    const ask = async (query: string): Promise<string> =>
      Object.values<Answer>(await door.ask(query))[0].__typename;

    expect(await session('ses_1', 'id')).toMatchObject({ __typename: 'InvalidInput' });
    expect(await session(newId('session'), 'id')).toMatchObject({ __typename: 'SessionNotFound' });
    expect(await ask(`{ event(sessionId: "${id}", id: "${newId('event')}") { ${FAULT} } }`)).toBe(
      'EventNotFound',
    );
    expect(
      await ask(`{ event(sessionId: "${newId('session')}", id: "${newId('event')}") { ${FAULT} } }`),
    ).toMatch(/NotFound$/);
    expect(await ask(`{ event(sessionId: "${id}", id: "x") { ${FAULT} } }`)).toBe('InvalidInput');
    expect(await ask(`{ turn(sessionId: "${id}", id: "${newId('turn')}") { ${FAULT} } }`)).toBe(
      'TurnNotFound',
    );
    expect(await ask(`{ turn(sessionId: "${newId('session')}", id: "${newId('turn')}") { ${FAULT} } }`)).toBe(
      'SessionNotFound',
    );
    expect(await ask(`{ turn(sessionId: "${id}", id: "x") { ${FAULT} } }`)).toBe('InvalidInput');
  });
});

describe('messages', () => {
  it('are durable, tell their turn, and are sent once by key', async () => {
    const id = await door.session();
    const sent = await sendMessage({ sessionId: id, text: 'more', raw: { from: 'test' } }, 'm-1');
    const again = await sendMessage({ sessionId: id, text: 'more', raw: { from: 'test' } }, 'm-1');

    expect(sent).toMatchObject({ replayed: false, session: { status: 'QUEUED', pendingCount: 2 } });
    expect(again).toMatchObject({ eventId: sent.eventId, turnId: sent.turnId, replayed: true });
    expect(await sendMessage({ sessionId: id, text: 'other' }, 'm-1')).toMatchObject({
      __typename: 'IdempotencyConflict',
    });
  });

  it('join, wait for or end the running turn by their mode', async () => {
    const id = await door.session();
    await door.beginTurn(id);
    const { turn } = await session(id, 'turn { id }');
    const steered = await sendMessage({ sessionId: id, text: 'a' });
    const queued = await sendMessage({ sessionId: id, text: 'b', mode: 'QUEUE' });
    await sendMessage({ sessionId: id, text: 'c', mode: 'INTERRUPT' });

    expect(steered.turnId).toBe(turn.id);
    expect(queued.turnId).not.toBe(turn.id);
    expect((await session(id, 'why')).why).toBe('Turn 1 is being interrupted.');
  });

  it('are refused with a typed Fault', async () => {
    const id = await door.session();
    const archived = await door.session();
    await onSession('archiveSession', archived);

    expect(await sendMessage({ sessionId: id, text: ' ' })).toMatchObject({ __typename: 'InvalidInput' });
    expect(await sendMessage({ sessionId: id, text: 'x'.repeat(256 * 1024 + 1) })).toMatchObject({
      __typename: 'InvalidInput',
    });
    expect(await sendMessage({ sessionId: newId('session'), text: 'x' })).toMatchObject({
      __typename: 'SessionNotFound',
    });
    expect(await sendMessage({ sessionId: archived, text: 'x' })).toMatchObject({
      __typename: 'SessionArchived',
    });
  });

  it('are refused when too many wait, and when the log is full', async () => {
    const id = await door.session();
    for (let sent = 1; sent < PENDING_MESSAGES_MAX; sent += 1) {
      await door.sessions.send({ sessionId: id, text: 'x', actor: { kind: 'human' } });
    }
    expect(await sendMessage({ sessionId: id, text: 'one too many' })).toMatchObject({
      __typename: 'PendingFull',
    });

    await door.beginTurn(id);
    const typenames = new Set<string>();
    for (let sent = 0; sent < 120; sent += 1)
      typenames.add((await sendMessage({ sessionId: id, text: 'x' })).__typename);
    expect(typenames).toContain('SendMessagePayload');
    expect([...typenames].at(-1)).toMatch(/LogFull|SessionArchived/);
  });
});

describe('turns', () => {
  it('are canceled once by key', async () => {
    const id = await door.session();

    expect(await onSession('cancelTurn', id, 'c-1')).toMatchObject({
      session: { status: 'IDLE' },
      replayed: false,
    });
    await sendMessage({ sessionId: id, text: 'again' });
    expect(await onSession('cancelTurn', id, 'c-1')).toMatchObject({
      session: { status: 'QUEUED' },
      replayed: true,
    });
    expect(await onSession('cancelTurn', newId('session'))).toMatchObject({ __typename: 'SessionNotFound' });
    expect(await onSession('cancelTurn', 'x')).toMatchObject({ __typename: 'InvalidInput' });
  });

  it('end with their session', async () => {
    const id = await door.session();

    expect(await onSession('archiveSession', id)).toMatchObject({ session: { status: 'ARCHIVED' } });
    expect(await onSession('archiveSession', id)).toMatchObject({ session: { status: 'ARCHIVED' } });
    expect(await onSession('archiveSession', newId('session'))).toMatchObject({
      __typename: 'SessionNotFound',
    });
    expect(await onSession('archiveSession', 'x')).toMatchObject({ __typename: 'InvalidInput' });
  });
});

describe('client tokens', () => {
  it('read and steer their session and nothing else', async () => {
    const id = await door.session();
    const { clientToken } = await createClientToken({
      sessionId: id,
      scopes: ['READ', 'STEER'],
      ttlSeconds: 60,
    });
    const own = await session(id, 'status events { nodes { type } }', clientToken.token);

    expect(own).toMatchObject({ status: 'QUEUED', events: { nodes: [{ type: 'user.message' }] } });
    expect(await sendMessage({ sessionId: id, text: 'hi' }, undefined, clientToken.token)).toMatchObject({
      replayed: false,
    });
    expect(await session(await door.session(), 'id', clientToken.token)).toMatchObject({
      __typename: 'SessionNotFound',
    });
    for (const mutation of ['cancelTurn', 'archiveSession'] as const) {
      expect(await onSession(mutation, id, undefined, clientToken.token)).toMatchObject({
        __typename: 'Forbidden',
      });
    }
    expect(await startSession({ agent: 'door', input: 'x' }, undefined, clientToken.token)).toMatchObject({
      __typename: 'Forbidden',
    });
    expect(await createClientToken({ sessionId: id }, clientToken.token)).toMatchObject({
      __typename: 'Forbidden',
    });
    for (const list of ['agents', 'credentials', 'sessions']) {
      const { body } = await door.post(`{ ${list} { nodes { id } } }`, {}, clientToken.token);
      expect(body.errors[0].extensions.code).toBe('FORBIDDEN');
    }
    for (const mutation of [
      'createAgent(input: { name: "x", model: "m", prompt: "p" })',
      `updateAgent(input: { id: "${newId('agent')}" })`,
      'createCredential(input: { provider: "anthropic", key: "k" })',
      `updateCredential(input: { id: "${newId('credential')}" })`,
      `deleteCredential(id: "${newId('credential')}")`,
    ]) {
      const [answer] = Object.values<Answer>(
        await door.ask(`mutation { ${mutation} { __typename } }`, {}, clientToken.token),
      );
      expect(answer.__typename, mutation).toBe('Forbidden');
    }
  });

  it('with one scope do not do what the other allows', async () => {
    const id = await door.session();
    const steered = await door.post(
      `mutation { sendMessage(input: { sessionId: "${id}", text: "x" }) { ... on SendMessagePayload { session { id events { nodes { id } } } } } }`,
      {},
      aToken(id, ['steer']),
    );

    expect(await sendMessage({ sessionId: id, text: 'x' }, undefined, aToken(id, ['read']))).toMatchObject({
      __typename: 'Forbidden',
    });
    expect(await session(id, 'id', aToken(id, ['steer']))).toMatchObject({ __typename: 'Forbidden' });
    expect(steered.body.errors[0].extensions.code).toBe('FORBIDDEN');
  });

  it('do not see what is for the operator', async () => {
    const id = await door.session();
    const { body } = await door.post(
      `{ session(id: "${id}") { ... on Session { id agent { prompt } metadata key lease { owner } } } }`,
      {},
      aToken(id),
    );

    expect(body.data.session).toEqual({ id, agent: null, metadata: null, key: null, lease: null });
    expect(body.errors.map(({ extensions }: Answer) => extensions.code)).toEqual(Array(4).fill('FORBIDDEN'));
  });

  it('are refused outside their limits', async () => {
    const id = await door.session();

    expect(await createClientToken({ sessionId: id, ttlSeconds: 1 })).toMatchObject({
      __typename: 'InvalidInput',
    });
    expect(await createClientToken({ sessionId: id, scopes: [] })).toMatchObject({
      __typename: 'InvalidInput',
    });
    expect(await createClientToken({ sessionId: newId('session') })).toMatchObject({
      __typename: 'SessionNotFound',
    });
  });
});
