/** Messages, turns and client tokens over HTTP, and each Fault that they list. */
import { afterAll, describe, expect, it } from 'vitest';
import { newId, type SessionId } from '../../src/kernel/id.ts';
import { PENDING_MESSAGES_MAX } from '../../src/kernel/limit.ts';
import { type Answer, Door } from '../support/door.ts';
import { operationsOf } from '../support/operations.ts';

const door = await Door.open({}, { eventsMax: 1_100 });
const { startSession, sendMessage, onSession, createClientToken, session } = operationsOf(door);
afterAll(() => door.close());

const aToken = async (sessionId: SessionId, scopes?: readonly string[]): Promise<string> =>
  (await door.access.mintClientToken(door, sessionId, { scopes })).token;

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

  it('with the key of another message are a conflict, also when only mode or raw differ', async () => {
    const id = await door.session();
    const first = { sessionId: id, text: 'same', mode: 'QUEUE', raw: { from: 'test', deep: { a: 1, b: 2 } } };
    await sendMessage(first, 'm-2');

    for (const other of [
      { ...first, mode: 'INTERRUPT' },
      { ...first, raw: { from: 'somebody else' } },
      { sessionId: id, text: 'same', mode: 'QUEUE' },
    ]) {
      expect(await sendMessage(other, 'm-2')).toMatchObject({ __typename: 'IdempotencyConflict' });
    }
    const reordered = { ...first, raw: { deep: { b: 2, a: 1 }, from: 'test' } };
    expect(await sendMessage(reordered, 'm-2')).toMatchObject({ replayed: true });
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
      expect([mutation, answer.__typename]).toEqual([mutation, 'Forbidden']);
    }
  });

  it('with one scope do not do what the other allows', async () => {
    const id = await door.session();
    const steered = await door.post(
      `mutation { sendMessage(input: { sessionId: "${id}", text: "x" }) { ... on SendMessagePayload { session { id events { nodes { id } } } } } }`,
      {},
      await aToken(id, ['steer']),
    );

    expect(
      await sendMessage({ sessionId: id, text: 'x' }, undefined, await aToken(id, ['read'])),
    ).toMatchObject({
      __typename: 'Forbidden',
    });
    expect(await session(id, 'id', await aToken(id, ['steer']))).toMatchObject({ __typename: 'Forbidden' });
    expect(steered.body.errors[0].extensions.code).toBe('FORBIDDEN');
  });

  it.each([
    'session { limits { turns } }',
    'session { usage { totalTokens } }',
    'session { id turn { failure { code message } } }',
    'session { why }',
    'session { result { seq } }',
    '...F',
  ])('that may only steer read nothing through the payload, and nothing is sent: %s', async (selection) => {
    const id = await door.session();
    const { head } = await session(id, 'head');
    const send = `mutation { sendMessage(input: { sessionId: "${id}", text: "x" }) { ... on SendMessagePayload { turnId ${selection} } } }`;
    const fragment =
      ' fragment F on SendMessagePayload { s: session { ... on Session { ...G } } } fragment G on Session { head }';
    const query = selection === '...F' ? send.concat(fragment) : send;

    const { body } = await door.post(query, {}, await aToken(id, ['steer']));

    expect(body.errors[0]).toMatchObject({ extensions: { code: 'FORBIDDEN' } });
    expect(body.data).toBeNull();
    expect(await session(id, 'head')).toEqual({ __typename: 'Session', head });
    expect((await door.post(query, {}, await aToken(id))).body.errors).toBeUndefined();
  });

  it('that may only steer are told which session they spoke to, and how it stands', async () => {
    const id = await door.session();
    const query = `mutation { sendMessage(input: { sessionId: "${id}", text: "x" }) { ... on SendMessagePayload { eventId cursor turnId session { __typename id status } } } }`;

    const { body } = await door.post(query, {}, await aToken(id, ['steer']));

    expect(body.data.sendMessage.session).toEqual({ __typename: 'Session', id, status: 'QUEUED' });
  });

  it('do not see what is for the operator', async () => {
    const id = await door.session();
    const { body } = await door.post(
      `{ session(id: "${id}") { ... on Session { id agent { prompt } metadata key lease { owner } } } }`,
      {},
      await aToken(id),
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
