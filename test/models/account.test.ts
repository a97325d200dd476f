/** Which key a session's call is made with, when the one it started with is gone. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { silentLogger } from '../../src/kernel/logger.ts';
import type { SessionId } from '../../src/kernel/id.ts';
import { Sealed } from '../../src/kernel/sealed.ts';
import { NO_USAGE } from '../../src/sessions/session.ts';
import { sessionAccount } from '../../src/models/account.ts';
import { Door } from '../support/door.ts';
import { MODEL } from '../support/operations.ts';

let door: Door;
beforeEach(async () => {
  door = await Door.open();
});
afterEach(() => door.close());

/** The key in the clear, as the gateway would send it. */
async function keyOf(sessionId: SessionId, serverKey?: string): Promise<string> {
  const { runs: sessions, useCasesOf } = door;
  const serverKeys = { anthropic: serverKey === undefined ? undefined : new Sealed(serverKey) };
  const account = sessionAccount({ sessions, useCasesOf, serverKeys, logger: silentLogger });
  return (await account.keyFor(sessionId)).open();
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
  const { runs: sessions, useCasesOf } = door;
  await create('sk-default-0');
  await door.agents.create({ name: 'a', model: MODEL, prompt: 'x' });
  const sessionId = await start('a');
  const account = sessionAccount({ sessions, useCasesOf, serverKeys: {}, logger: silentLogger });
  const metered = {
    sessionId,
    callId: 't1m1',
    requestKey: 'one',
    model: 'm',
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

it('a session that has used the tokens of its limit may use no more', async () => {
  const { runs: sessions, useCasesOf } = door;
  await create('sk-default-0');
  await door.agents.create({ name: 'a', model: MODEL, prompt: 'x', limits: { tokens: 10 } });
  const sessionId = await start('a');
  const account = sessionAccount({ sessions, useCasesOf, serverKeys: {}, logger: silentLogger });
  const use = (requestKey: string, outputTokens: number) =>
    account.meter({
      sessionId,
      callId: 't1m1',
      requestKey,
      model: 'm',
      usage: { ...NO_USAGE, outputTokens },
    });

  await use('one', 9);
  expect(await account.budget(sessionId)).toEqual({ kind: 'allowed' });
  await use('two', 1);

  expect(await account.budget(sessionId)).toMatchObject({
    kind: 'refused',
    message: expect.stringContaining('has used 10 of its 10 tokens'),
  });
});

it('the models of a session are its own and its fallback, as its revision of the agent has them', async () => {
  const { runs: sessions, useCasesOf, agents } = door;
  await create('sk-default-0');
  const settings = { maxOutputTokens: 5_000, fallbackModel: 'anthropic/claude-haiku-4-5' };
  const { agent } = await agents.create({ name: 'a', model: MODEL, prompt: 'x', settings });
  const sessionId = await start('a');
  await agents.update(agent.id, { settings: { maxOutputTokens: 9_000 } });
  const account = sessionAccount({ sessions, useCasesOf, serverKeys: {}, logger: silentLogger });

  expect(await account.plansFor(sessionId)).toMatchObject([
    { name: MODEL.slice(MODEL.indexOf('/') + 1), outputTokensMax: 5_000 },
    { name: 'claude-haiku-4-5', outputTokensMax: 5_000 },
  ]);
});
