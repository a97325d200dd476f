/** Which key a session's call is made with, when the one it started with is gone. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import type { SessionId } from '../../src/kernel/id.ts';
import { Sealed } from '../../src/kernel/sealed.ts';
import { NO_USAGE } from '../../src/sessions/session.ts';
import { type AccountPorts, sessionAccount } from '../../src/models/account.ts';
import { Prices } from '../../src/models/prices.ts';
import { Door } from '../support/door.ts';
import { MODEL } from '../support/operations.ts';

const ASKED = { model: 'm', cacheTtl: '5m', at: 1_795_000_000_000 } as const;

let door: Door;
beforeEach(async () => {
  door = await Door.open();
});
afterEach(() => door.close());

function accountOf(given: Partial<AccountPorts> = {}) {
  const { runs: sessions, useCasesOf } = door;
  const ports = { sessions, useCasesOf, serverKeys: {}, clock: systemClock, logger: silentLogger };
  return sessionAccount({ ...ports, prices: new Prices(), ...given });
}

/** The key in the clear, as the gateway would send it. */
async function keyOf(sessionId: SessionId, serverKey?: string): Promise<string> {
  const serverKeys = { anthropic: serverKey === undefined ? undefined : new Sealed(serverKey) };
  return (await accountOf({ serverKeys }).keyFor(sessionId)).open();
}
const create = async (key: string) =>
  (await door.credentials.create({ provider: 'anthropic', key: new Sealed(key) })).credential;
const start = async (agent: string) =>
  (await door.sessions.start({ agent, input: 'Hi.', actor: { kind: 'human' } })).session.id;

it("a deleted credential gives way to the agent's new one, then to the default, then to the server's key", async () => {
  const { agent } = await door.agents.create({
    name: 'a',
    model: MODEL,
    prompt: 'x',
    key: new Sealed('sk-pinned-0'),
  });
  const id = await start('a');
  expect(await keyOf(id, 'sk-server-0')).toBe('sk-pinned-0');

  const { credentialId } = agent;
  if (credentialId === undefined) throw new Error('an inline key makes a credential');
  await door.credentials.delete(credentialId);
  await expect(keyOf(id)).rejects.toMatchObject({ code: 'NO_CREDENTIAL' });
  expect(await keyOf(id, 'sk-server-0')).toBe('sk-server-0');

  await create('sk-default-0');
  expect(await keyOf(id, 'sk-server-0')).toBe('sk-default-0');

  await door.agents.update(agent.id, { key: new Sealed('sk-agent-0') });
  expect(await keyOf(id, 'sk-server-0')).toBe('sk-agent-0');
});

it("a session that started on the server's key goes on by a credential when the server has none any more", async () => {
  await door.agents.create({ name: 'a', model: MODEL, prompt: 'x' });
  const id = await start('a');
  expect(await keyOf(id, 'sk-server-0')).toBe('sk-server-0');
  await expect(keyOf(id)).rejects.toMatchObject({ code: 'NO_CREDENTIAL' });

  await create('sk-default-0');

  expect(await keyOf(id)).toBe('sk-default-0');
});

it("what a request used is journalled once, with the service's id of it", async () => {
  const { runs: sessions } = door;
  await create('sk-default-0');
  await door.agents.create({ name: 'a', model: MODEL, prompt: 'x' });
  const sessionId = await start('a');
  const account = accountOf();
  const metered = {
    sessionId,
    callId: 't1m1',
    requestKey: 'one',
    model: 'm',
    asked: ASKED,
    usage: { ...NO_USAGE, outputTokens: 7 },
    requestId: 'req_1',
  };

  await account.meter(metered);
  await account.meter(metered);

  const { session, head } = await sessions.get(sessionId);
  const [event] = await door.store.journal.read(sessionId, { after: head - 1, limit: 1 });
  expect(session.usage.outputTokens).toBe(7);
  expect(JSON.parse(event?.body ?? '')).toMatchObject({
    callId: 't1m1',
    outputTokens: 7,
    requestId: 'req_1',
  });
});

it('a session of an agent whose credential was deleted starts with the default', async () => {
  const gone = await create('sk-gone-0000');
  await door.agents.create({ name: 'a', model: MODEL, prompt: 'x', credentialId: gone.id });
  await door.credentials.delete(gone.id);
  const standard = await create('sk-default-0');

  const id = await start('a');

  expect((await door.sessions.get(id)).session.credentialId).toBe(standard.id);
});

it('a session that was started beside the deletion of its agent makes no call (proves AGENT-1)', async () => {
  await create('sk-default-0');
  const { agent } = await door.agents.create({ name: 'a', model: MODEL, prompt: 'x' });
  const [first, rested] = [await start('a'), await start('a')];
  await door.sessions.cancel(rested, { kind: 'human' });
  await door.store.agents.delete(door.organisationId, agent.id, { at: 1, force: true }); // its server is killed now
  await door.sessions.send({ sessionId: rested, text: 'again', actor: { kind: 'human' } });
  await door.beginTurn(rested);

  await expect(keyOf(first)).rejects.toMatchObject({ code: 'AGENT_GONE' });
  expect(await keyOf(rested), 'one that it had goes on').toBe('sk-default-0');
});

it('a session that has used the tokens of its limit may use no more', async () => {
  await create('sk-default-0');
  await door.agents.create({ name: 'a', model: MODEL, prompt: 'x', limits: { tokens: 10 } });
  const sessionId = await start('a');
  const account = accountOf();
  const use = (requestKey: string, outputTokens: number) =>
    account.meter({
      sessionId,
      callId: 't1m1',
      requestKey,
      model: 'm',
      asked: ASKED,
      usage: { ...NO_USAGE, outputTokens },
    });

  await use('one', 9);
  expect(await account.budget(sessionId, 'm')).toEqual({ kind: 'allowed' });
  await use('two', 1);

  expect(await account.budget(sessionId, 'm')).toMatchObject({
    kind: 'refused',
    message: expect.stringContaining('has used 10 of its 10 tokens'),
  });
});

it('the models of a session are its own and its fallback, as its revision of the agent has them', async () => {
  const { agents } = door;
  await create('sk-default-0');
  const settings = { maxOutputTokens: 5_000, fallbackModel: 'anthropic/claude-haiku-4-5' };
  const { agent } = await agents.create({ name: 'a', model: MODEL, prompt: 'x', settings });
  const sessionId = await start('a');
  await agents.update(agent.id, { settings: { maxOutputTokens: 9_000 } });
  const account = accountOf();

  expect(await account.plansFor(sessionId)).toMatchObject([
    { name: MODEL.slice(MODEL.indexOf('/') + 1), outputTokensMax: 5_000 },
    { name: 'claude-haiku-4-5', outputTokensMax: 5_000 },
  ]);
});

describe('what a call costs', () => {
  const DAY = Date.parse('2026-11-27T12:00:00Z');
  const USAGE = { ...NO_USAGE, inputTokens: 1_000, outputTokens: 100, cacheCreationInputTokens: 200 };
  const call = (sessionId: SessionId, requestKey: string, model = 'claude-sonnet-5') => ({
    sessionId,
    callId: 't1m1',
    requestKey,
    model,
    asked: { model: 'claude-sonnet-5', cacheTtl: '5m', at: DAY } as const,
    usage: USAGE,
  });
  const begin = async (limits = {}): Promise<SessionId> => {
    await create('sk-default-0');
    await door.agents.create({ name: 'a', model: MODEL, prompt: 'x', limits });
    return start('a');
  };
  const lastUsage = async (sessionId: SessionId) => {
    const types = ['model.usage'];
    const { events } = await door.store.journal.scan(sessionId, {
      after: 0,
      to: 99,
      limit: 99,
      filter: { types },
    });
    return JSON.parse(events.at(-1)?.body ?? '{}');
  };

  it('is journalled with it and the price, and no later table changes it (proves PRICE-1)', async () => {
    const sessionId = await begin();
    await accountOf().meter(call(sessionId, 'one'));
    const dearer = {
      from: '2026-01-01',
      input: 200,
      output: 1_000,
      cacheWrite5m: 1,
      cacheWrite1h: 1,
      cacheRead: 1,
    };
    const later = accountOf({ prices: new Prices(new Map([[MODEL, [dearer]]])) });

    expect(await lastUsage(sessionId)).toMatchObject({
      costMicroUsd: 3_500,
      price: { model: MODEL, from: '2026-06-30', input: 2, output: 10, cacheWrite5m: 2.5, cacheRead: 0.2 },
    });
    await later.meter({ ...call(sessionId, 'two'), usage: { ...NO_USAGE, outputTokens: 1 } });
    expect((await door.sessions.get(sessionId)).session.usage.costMicroUsd).toBe(3_500 + 1_000);
    await later.meter(call(sessionId, 'one'));
    expect((await door.sessions.get(sessionId)).session.usage.costMicroUsd).toBe(4_500);
  });

  it('is that of the day of the call', async () => {
    const sessionId = await begin();
    const of = (requestKey: string, day: string) => ({
      ...call(sessionId, requestKey, 'claude-sonnet-5-5'),
      asked: { model: 'claude-sonnet-5-5', cacheTtl: '5m', at: Date.parse(day) } as const,
      usage: { ...NO_USAGE, cacheReadInputTokens: 100 },
    });

    await accountOf().meter(of('one', '2026-10-06T23:59:59Z'));
    expect((await lastUsage(sessionId)).costMicroUsd).toBe(20);
    await accountOf().meter(of('two', '2026-10-07T00:00:00Z'));
    expect((await lastUsage(sessionId)).costMicroUsd).toBe(10);
  });

  it('counts writes to the cache as the service says, or else as was asked for', async () => {
    const sessionId = await begin();
    const usage = { ...NO_USAGE, cacheCreationInputTokens: 100 };
    const asked = { ...call(sessionId, 'x').asked, cacheTtl: '1h' } as const;

    await accountOf().meter({ ...call(sessionId, 'one'), usage });
    expect((await lastUsage(sessionId)).costMicroUsd).toBe(250);
    await accountOf().meter({ ...call(sessionId, 'two'), usage, asked });
    expect((await lastUsage(sessionId)).costMicroUsd).toBe(400);
    await accountOf().meter({ ...call(sessionId, 'three'), usage, asked, cacheCreation1hInputTokens: 0 });
    expect(await lastUsage(sessionId)).toMatchObject({ costMicroUsd: 250, cacheCreation1hInputTokens: 0 });
  });

  it('is that of the model that answered, or else of the one that was asked for', async () => {
    const sessionId = await begin();

    await accountOf().meter(call(sessionId, 'one', 'claude-haiku-4-5-20251001'));
    expect(await lastUsage(sessionId)).toMatchObject({ costMicroUsd: 1_750, price: { input: 1 } });
    await accountOf().meter(call(sessionId, 'two', 'what-a-proxy-calls-it'));
    expect(await lastUsage(sessionId)).toMatchObject({ costMicroUsd: 3_500, price: { model: MODEL } });
  });

  it('is nowhere where no price is known, or nobody knows what was used (proves PRICE-2)', async () => {
    const sessionId = await begin();
    const unknown = { ...call(sessionId, 'one', 'm'), asked: ASKED };
    const cut = { ...call(sessionId, 'two'), usage: { ...NO_USAGE, complete: false }, unmetered: true };

    for (const metered of [unknown, cut]) {
      await accountOf().meter(metered);
      expect(await lastUsage(sessionId)).not.toHaveProperty('costMicroUsd');
      expect(await lastUsage(sessionId)).not.toHaveProperty('price');
    }
    expect((await door.sessions.get(sessionId)).session.usage).not.toHaveProperty('costMicroUsd');
  });

  it('ends the calls of a session at its limit, which can be raised (proves SPEND-1)', async () => {
    const sessionId = await begin({ costMicroUsd: 7_000 });
    const budget = () => accountOf().budget(sessionId, 'claude-sonnet-5');

    await accountOf().meter(call(sessionId, 'one'));
    expect(await budget()).toEqual({ kind: 'allowed' });
    await accountOf().meter(call(sessionId, 'two'));
    expect(await budget()).toEqual({
      kind: 'refused',
      type: 'budget_exceeded',
      message:
        'The session has cost 0.007 of its 0.007 US dollars. Raise the limit with updateSession, or start a new session.',
    });

    await door.sessions.changeLimits({
      sessionId,
      limits: { costMicroUsd: 7_001 },
      actor: { kind: 'human' },
    });
    expect(await budget()).toEqual({ kind: 'allowed' });
  });

  it('has to be known where there is a limit (proves GATEWAY-10)', async () => {
    const sessionId = await begin({ costMicroUsd: 7_000 });
    const budget = (model: string) => accountOf().budget(sessionId, model);

    expect(await budget('claude-haiku-4-5')).toEqual({ kind: 'allowed' });
    expect(await budget('claude-mythos-preview')).toMatchObject({
      kind: 'refused',
      type: 'no_price',
      message: expect.stringContaining('anthropic/claude-mythos-preview is not known'),
    });
    await door.sessions.changeLimits({ sessionId, limits: { costMicroUsd: null }, actor: { kind: 'human' } });
    expect(await budget('claude-mythos-preview')).toEqual({ kind: 'allowed' });
  });
});
