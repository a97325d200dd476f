/** Sessions over HTTP: starting, listing, reading, and each Fault that they list. */
import { cursorOf } from '../../src/journal/cursor.ts';
import { afterAll, describe, expect, it } from 'vitest';
import { eventIdOf, newId } from '../../src/kernel/id.ts';
import { type Answer, Door, said } from '../support/door.ts';
import { FAULT, MODEL, operationsOf } from '../support/operations.ts';

const door = await Door.open();
const { createAgent, startSession, session } = operationsOf(door);
afterAll(() => door.close());

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

  it('proves SNAPSHOT-1: are told as of one place of their log, whatever is appended meanwhile', async () => {
    const id = await door.session();
    await door.beginTurn(id);
    const asIs = door.sessions.get.bind(door.sessions);
    door.sessions.get = async (asked) => {
      const entry = await asIs(asked);
      await door.sessions.cancel(id, { kind: 'human' });
      await door.runs.write(id, 1, undefined, { kind: 'completeTurn', outcome: 'canceled' });
      await door.sessions.send({ sessionId: id, text: 'more', actor: { kind: 'human' } });
      await door.runs.write(id, 1, undefined, { kind: 'beginTurn' });
      return entry;
    };
    const asked = `{ session(id: "${id}") { ... on Session { head status turnCount turn { number state }
      turns { nodes { number state } } events(first: 2) { nodes { seq } pageInfo { hasNextPage } }
      rest: events(types: ["turn.started", "turn.completed", "turn.cancel_requested"]) { nodes { seq type } pageInfo { hasNextPage endCursor } } } } }`;
    const answered = await door.ask(asked);
    door.sessions.get = asIs;

    const { head, events, rest, turn, turns, turnCount } = answered.session;
    expect(events).toEqual({ nodes: [{ seq: 1 }, { seq: 2 }], pageInfo: { hasNextPage: true } });
    expect(rest.nodes).toEqual([{ seq: head, type: 'turn.started' }]);
    expect(rest.pageInfo).toEqual({ hasNextPage: false, endCursor: cursorOf(id, head) });
    expect([turnCount, turn, turns.nodes]).toEqual([1, turn, [{ number: 1, state: 'RUNNING' }]]);
    expect((await door.ask(asked)).session.turns.nodes).toEqual([
      { number: 2, state: 'RUNNING' },
      { number: 1, state: 'COMPLETED' },
    ]);
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
