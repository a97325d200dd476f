/** deleteSession at the door: who is told what, at once and for ever, on HTTP, SSE and the socket. */
import { createClient, type Client } from 'graphql-ws';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { Organisations } from '../../src/access/organisations.ts';
import { cursorOf } from '../../src/journal/cursor.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { eventIdOf, newId, type OrganisationId, type SessionId, turnIdOf } from '../../src/kernel/id.ts';
import { type Answer, Door, ROOT_KEY, said } from '../support/door.ts';
import { eventually } from '../support/eventually.ts';
import { BY_EXECUTION, caughtUp, follow, QUICK } from '../support/following.ts';

const FAULT = '__typename ... on Fault { code message }';
let door: Door;
let clients: Client[];
beforeEach(async () => {
  door = await Door.open();
  clients = [];
});
afterEach(async () => {
  for (const client of clients) await client.dispose();
  await door.close();
});

function clientOf(bearer = ROOT_KEY): Client {
  const client = createClient({
    url: door.socketUrl,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${bearer}` },
    retryAttempts: 0,
  });
  clients.push(client);
  return client;
}

async function deleteSession(id: string, bearer = ROOT_KEY, key?: string): Promise<Answer> {
  const query = `mutation ($id: ID!, $key: String) { deleteSession(sessionId: $id, idempotencyKey: $key) {
    ${FAULT} ... on DeleteSessionPayload { id deletedAt replayed } } }`;
  return (await door.ask(query, { id, key }, bearer)).deleteSession;
}

/** Every operation about one session, and what it answers. */
async function askedAbout(id: SessionId, bearer = ROOT_KEY): Promise<Readonly<Record<string, unknown>>> {
  const operations: Readonly<Record<string, string>> = {
    session: `{ it: session(id: "${id}") { ${FAULT} } }`,
    event: `{ it: event(sessionId: "${id}", id: "${eventIdOf(id, 1)}") { ${FAULT} } }`,
    turn: `{ it: turn(sessionId: "${id}", id: "${turnIdOf(id, 1)}") { ${FAULT} } }`,
    sendMessage: `mutation { it: sendMessage(input: { sessionId: "${id}", text: "hi" }) { ${FAULT} } }`,
    cancelTurn: `mutation { it: cancelTurn(sessionId: "${id}") { ${FAULT} } }`,
    archiveSession: `mutation { it: archiveSession(sessionId: "${id}") { ${FAULT} } }`,
    updateSession: `mutation { it: updateSession(input: { id: "${id}", limits: { turns: 2 } }) { ${FAULT} } }`,
    createClientToken: `mutation { it: createClientToken(sessionId: "${id}") { ${FAULT} } }`,
  };
  const answers: Record<string, unknown> = {};
  for (const [name, query] of Object.entries(operations))
    answers[name] = (await door.ask(query, {}, bearer)).it.code;
  return answers;
}

describe('a session that was deleted', () => {
  it('is gone on every door to its own organisation, and in no list', async () => {
    const [id, stays] = [await door.session(), await door.session()];
    const answer = await deleteSession(id);

    expect(answer).toMatchObject({ __typename: 'DeleteSessionPayload', id, replayed: false });
    expect(new Set(Object.values(await askedAbout(id)))).toEqual(new Set(['SESSION_GONE']));
    const { sessions } = await door.ask('{ sessions { nodes { id } } }');
    expect(sessions.nodes).toEqual([{ id: stays }]);
    const { session } = await door.ask(
      `{ session(id: "${id}") { ... on SessionGone { code message sessionId } } }`,
    );
    expect(session).toEqual({
      code: 'SESSION_GONE',
      message: `Session ${id} was deleted. Start a new session.`,
      sessionId: id,
    });
  });

  it('is deleted again without anything happening, with and without a key', async () => {
    const id = await door.session();
    const first = await deleteSession(id, ROOT_KEY, 'k');

    expect(await deleteSession(id, ROOT_KEY, 'k')).toEqual({ ...first, replayed: true });
    expect(await deleteSession(id)).toEqual({ ...first, replayed: true });
    expect(await deleteSession(id, ROOT_KEY, 'x'.repeat(2_000))).toMatchObject({ code: 'INVALID_INPUT' });
    expect(await deleteSession(newId('session'))).toMatchObject({ code: 'SESSION_NOT_FOUND' });
    expect(await deleteSession('nonsense')).toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('never was, to another organisation and to client tokens of other sessions; its own tokens are told, and delete nothing', async () => {
    const [id, other] = [await door.session(), await door.session()];
    const { organisation } = await new Organisations({
      organisations: door.store.organisations,
      clock: systemClock,
    }).create({ name: 'second' });
    const token = async (organisationId: OrganisationId, sessionId: SessionId): Promise<string> => {
      const scopes = ['read', 'steer', 'cancel'];
      return (await door.access.mintClientToken({ organisationId }, sessionId, { scopes })).token;
    };
    const [own, foreign] = [await token(door.organisationId, id), await token(door.organisationId, other)];
    const stranger = await token(organisation.id, id);
    expect(await deleteSession(id, own)).toMatchObject({ code: 'FORBIDDEN' });
    const elsewhere = door.useCasesOf(organisation.id).sessions;
    const remove = () => elsewhere.delete(id, { kind: 'human' });
    await expect(remove()).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
    await deleteSession(id);

    const read = async (bearer: string) =>
      (await door.ask(`{ session(id: "${id}") { ${FAULT} } }`, {}, bearer)).session.code;
    expect(await Promise.all([own, foreign, stranger].map(read))).toEqual([
      'SESSION_GONE',
      'SESSION_NOT_FOUND',
      'SESSION_NOT_FOUND',
    ]);
    await expect(remove()).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
    for (const [bearer, code] of [
      [own, 'SESSION_GONE'],
      [stranger, 'SESSION_NOT_FOUND'],
    ] as const)
      expect((await askedAbout(id, bearer))['sendMessage']).toBe(code);
  });

  it('is not started anew by the same request; its natural key is free', async () => {
    const agent = 'door';
    await door.session();
    const start = (key: string | undefined, idempotencyKey: string | undefined) =>
      door.sessions.start({ agent, input: 'hi', key, idempotencyKey, actor: { kind: 'human' } });
    const keyed = await start(undefined, 'once');
    const named = await start('name', undefined);
    for (const { session } of [keyed, named]) await deleteSession(session.id);

    await expect(start(undefined, 'once')).rejects.toMatchObject({ code: 'SESSION_GONE' });
    const again = await start('name', undefined);
    expect(again.replayed).toBe(false);
    expect(again.session.id).not.toBe(named.session.id);
    const { body } = await door.post(
      `mutation { startSession(input: { agent: "door", input: "hi" }, idempotencyKey: "once") { ${FAULT} } }`,
    );
    expect(body.data.startSession).toMatchObject({ __typename: 'SessionGone', code: 'SESSION_GONE' });
  });
});

describe.each([
  ['by projection', QUICK],
  ['by execution', BY_EXECUTION],
])('followers %s', (_, selection) => {
  const withCode = selection.replace('SessionGone { message }', 'SessionGone { code message sessionId }');

  it('are told at once, in groups and in the middle of a message, and so is who resumes later', async () => {
    const id = await door.session();
    await door.beginTurn(id);
    await door.record(id, said('one'));
    const client = clientOf();
    const followers = [{}, {}, { deltas: true }, { filter: { types: ['agent.message'] } }].map((more) =>
      follow(client, id, more, withCode),
    );
    for (const follower of followers) await follower.sees('the end of history', caughtUp);
    door.live.delta(id, { callId: 'call-2', offset: 0, text: 'Half a' });

    await deleteSession(id);
    door.live.delta(id, { callId: 'call-2', offset: 6, text: ' message' }); // a brain that has not been ended yet

    const gone = { __typename: 'SessionGone', code: 'SESSION_GONE', sessionId: id };
    for (const follower of followers) {
      await eventually('its end', () => follower.completed());
      expect(follower.frames.at(-1)).toMatchObject(gone);
      expect(follower.failed()).toBeUndefined();
    }
    await eventually('nobody holds its tail', () => door.live.headOf(id) === undefined);
    expect(door.live.draftsOf(id)).toEqual([]);
    for (const after of [undefined, cursorOf(id, 1)]) {
      const late = follow(client, id, { after }, withCode);
      await eventually('its end', () => late.completed());
      expect(late.frames).toMatchObject([gone]);
    }
    const never = follow(client, newId('session'), {}, withCode);
    await eventually('its end', () => never.completed());
    expect(never.frames).toMatchObject([{ __typename: 'SessionGone', code: 'SESSION_NOT_FOUND' }]);
  });
});

it('ends a follower over SSE with SessionGone', async () => {
  const id = await door.session();
  const response = await fetch(door.url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${ROOT_KEY}`,
      accept: 'text/event-stream',
      'content-type': 'application/json',
    },
    body: JSON.stringify({
      query: `subscription { sessionEvents(sessionId: "${id}") { __typename ... on SessionGone { code } } }`,
    }),
  });
  let text = '';
  const reading = (async () => {
    for await (const chunk of response.body ?? []) text += Buffer.from(chunk).toString();
  })();
  await eventually('the end of history', () => text.includes('CaughtUp'));

  await deleteSession(id);

  await reading;
  expect(text).toContain('SESSION_GONE');
});
