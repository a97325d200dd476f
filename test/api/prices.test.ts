/** Costs and the limits of them over HTTP: what usage says, what updateSession changes, and each Fault that it lists. */
import { afterAll, describe, expect, it } from 'vitest';
import { newId, type SessionId } from '../../src/kernel/id.ts';
import { Door } from '../support/door.ts';
import { FAULT, MODEL, operationsOf } from '../support/operations.ts';

const door = await Door.open();
const { createAgent, startSession, session, createClientToken, onSession } = operationsOf(door);
afterAll(() => door.close());

const USAGE = 'usage { totalTokens costMicroUsd pricedCostMicroUsd }';
const NONE = { inputTokens: 0, outputTokens: 0, cacheCreationInputTokens: 0, cacheReadInputTokens: 0 };
let calls = 0;

async function meter(sessionId: SessionId, given: { outputTokens: number; costMicroUsd?: number }) {
  calls += 1;
  const usage = { callId: 't1m1', model: 'm', complete: true, ...NONE, ...given };
  await door.runs.meter(sessionId, `${calls}`, usage);
}

async function updateSession(input: object, idempotencyKey?: string, bearer?: string) {
  const query = `mutation ($input: UpdateSessionInput!, $key: String) { updateSession(input: $input, idempotencyKey: $key) {
    ... on UpdateSessionPayload { session { limits { tokens turns turnSeconds costMicroUsd } } replayed } ${FAULT} } }`;
  return (await door.ask(query, { input, key: idempotencyKey }, bearer)).updateSession;
}

async function started(limits?: object): Promise<SessionId> {
  const name = `agent-${newId('agent').slice(-8)}`;
  await createAgent({ name });
  return (await startSession({ agent: name, input: 'Do it.', limits })).session.id;
}

describe('usage', () => {
  it('has a cost beside its tokens, of the turn and of the session, which is null once a price is not known', async () => {
    const id = await door.session('the task');
    expect(await session(id, USAGE)).toMatchObject({ usage: { costMicroUsd: 0, pricedCostMicroUsd: 0 } });
    await door.beginTurn(id);

    await meter(id, { outputTokens: 3, costMicroUsd: 5_000_000_000 });
    expect(await session(id, `${USAGE} turn { ${USAGE} } turns { nodes { ${USAGE} } }`)).toEqual({
      usage: { totalTokens: 3, costMicroUsd: 5_000_000_000, pricedCostMicroUsd: 5_000_000_000 },
      turn: { usage: { totalTokens: 3, costMicroUsd: 5_000_000_000, pricedCostMicroUsd: 5_000_000_000 } },
      turns: {
        nodes: [
          { usage: { totalTokens: 3, costMicroUsd: 5_000_000_000, pricedCostMicroUsd: 5_000_000_000 } },
        ],
      },
      __typename: 'Session',
    });

    await meter(id, { outputTokens: 3 });
    expect(await session(id, USAGE)).toMatchObject({
      usage: { totalTokens: 6, costMicroUsd: null, pricedCostMicroUsd: 5_000_000_000 },
    });
  });

  it('of a call is in its event, with the price, and null where none is known', async () => {
    const id = await started();
    await meter(id, { outputTokens: 1, costMicroUsd: 7 });
    await meter(id, { outputTokens: 1 });
    const { events } = await session(
      id,
      'events(types: ["model.usage"]) { nodes { ... on ModelUsage { costMicroUsd price } } }',
    );

    expect(events.nodes).toEqual([
      { costMicroUsd: 7, price: null },
      { costMicroUsd: null, price: null },
    ]);
  });
});

describe('a limit of money', () => {
  it('is a default of the agent, and of each session its own', async () => {
    const query = `mutation ($input: CreateAgentInput!) { createAgent(input: $input) {
      ... on CreateAgentPayload { agent { limits { costMicroUsd tokens } } } ${FAULT} } }`;
    const input = { name: 'thrifty', model: MODEL, prompt: 'x', limits: { costMicroUsd: 5_000_000 } };
    const limits = async (given?: object) => {
      const { session: one } = await startSession({ agent: 'thrifty', input: 'x', limits: given });
      return (await session(one.id, 'limits { costMicroUsd turns }')).limits;
    };

    expect((await door.ask(query, { input })).createAgent.agent.limits).toEqual({
      costMicroUsd: 5_000_000,
      tokens: null,
    });
    expect(await limits()).toEqual({ costMicroUsd: 5_000_000, turns: null });
    expect(await limits({ costMicroUsd: 1, turns: 2 })).toEqual({ costMicroUsd: 1, turns: 2 });
    for (const costMicroUsd of [0, -1])
      expect(await startSession({ agent: 'thrifty', input: 'x', limits: { costMicroUsd } })).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('limits.costMicroUsd'),
      });
  });

  it('is refused for a model whose price is not known, at the start and later', async () => {
    await createAgent({ name: 'unpriced', model: 'anthropic/claude-mythos-preview' });
    const start = (limits?: object) => startSession({ agent: 'unpriced', input: 'x', limits });
    const refused = { code: 'INVALID_INPUT', message: expect.stringContaining('HOLDFAST_PRICES') };

    expect(await start({ costMicroUsd: 5 })).toMatchObject(refused);
    const { session: one } = await start({ tokens: 5 });
    expect(await updateSession({ id: one.id, limits: { costMicroUsd: 5 } })).toMatchObject(refused);
    expect(await updateSession({ id: one.id, limits: { costMicroUsd: null, tokens: 6 } })).toMatchObject({
      session: { limits: { tokens: 6, costMicroUsd: null } },
    });
    expect(
      await startSession({ agent: 'unpriced', input: 'x', model: MODEL, limits: { costMicroUsd: 5 } }),
    ).toHaveProperty('session');
  });

  it('that is used up is said in words, with what to do', async () => {
    const id = await started({ costMicroUsd: 2_500_000 });
    await meter(id, { outputTokens: 1, costMicroUsd: 3_000_000 });
    await door.beginTurn(id);

    expect(await session(id, 'why turn { outcome }')).toMatchObject({
      why: 'The session has cost 3.00 of its 2.50 US dollars. Raise the limit with updateSession, or start a new session.',
      turn: { outcome: 'BUDGET_EXCEEDED' },
    });
    await updateSession({ id, limits: { costMicroUsd: 9_000_000 } });
    expect((await session(id, 'why')).why).toBe('Its limits were raised; a message goes on.');
  });

  it('is warned of in an event for everybody', async () => {
    const id = await started({ costMicroUsd: 100, tokens: 1_000 });
    await meter(id, { outputTokens: 1, costMicroUsd: 81 });
    const { events } = await session(
      id,
      'events(level: USER) { nodes { ... on BudgetThresholdReached { budget percent used limit } type } }',
    );

    expect(events.nodes.at(-1)).toEqual({
      type: 'budget.threshold_reached',
      budget: 'COST',
      percent: 80,
      used: 81,
      limit: 100,
    });
  });
});

describe('updateSession', () => {
  it('changes what is given, keeps what is left out, takes away what is null, and is done once by its key', async () => {
    const id = await started({ tokens: 5, turns: 3 });

    expect(await updateSession({ id, limits: { turns: null, costMicroUsd: 7 } }, 'once')).toMatchObject({
      session: { limits: { tokens: 5, turns: null, turnSeconds: null, costMicroUsd: 7 } },
      replayed: false,
    });
    await updateSession({ id, limits: { costMicroUsd: 9 } });
    expect(await updateSession({ id, limits: { turns: null, costMicroUsd: 7 } }, 'once')).toMatchObject({
      session: { limits: { costMicroUsd: 9 } },
      replayed: true,
    });
    const { events } = await session(
      id,
      'events(types: ["session.limits_changed"]) { nodes { ... on SessionLimitsChanged { tokens turns costMicroUsd given } actor { kind } } }',
    );
    expect(events.nodes).toEqual([
      {
        tokens: 5,
        turns: null,
        costMicroUsd: 7,
        given: { turns: null, costMicroUsd: 7 },
        actor: { kind: 'HUMAN' },
      },
      { tokens: 5, turns: null, costMicroUsd: 9, given: { costMicroUsd: 9 }, actor: { kind: 'HUMAN' } },
    ]);
  });

  it('refuses what it lists', async () => {
    const id = await started();
    const other = await started();
    const mine = await createClientToken({ sessionId: id, scopes: ['READ', 'STEER'] });
    const { token } = mine.clientToken;
    const codeOf = async (...given: Parameters<typeof updateSession>) => (await updateSession(...given)).code;
    await updateSession({ id, limits: { turns: 2 } }, 'taken');
    await onSession('archiveSession', other);

    expect(await codeOf({ id: 'ses_x' })).toBe('INVALID_INPUT');
    expect(await codeOf({ id, limits: { turns: 0 } })).toBe('INVALID_INPUT');
    expect(await codeOf({ id, limits: { turnSeconds: 1_801 } })).toBe('INVALID_INPUT');
    expect(await codeOf({ id, limits: { turns: 3 } }, '')).toBe('INVALID_INPUT');
    expect(await codeOf({ id: newId('session'), limits: { turns: 3 } })).toBe('SESSION_NOT_FOUND');
    expect(await codeOf({ id: other, limits: { turns: 3 } })).toBe('SESSION_ARCHIVED');
    expect(await codeOf({ id, limits: { turns: 3 } }, 'taken')).toBe('IDEMPOTENCY_CONFLICT');
    expect(await codeOf({ id, limits: { turns: 3 } }, undefined, token)).toBe('FORBIDDEN');
    expect((await session(id, 'limits { turns }')).limits.turns).toBe(2);
  });

  it('on a log that is full says so', async () => {
    const small = await Door.open({}, { eventsMax: 2 });
    const id = await small.session();
    const query = `mutation { updateSession(input: { id: "${id}", limits: { turns: 3 } }) { ${FAULT} } }`;
    const { updateSession: refused } = await small.ask(query);
    await small.close();

    expect(refused.code).toBe('LOG_FULL');
  });
});
