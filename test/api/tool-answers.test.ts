/** Answers to calls that wait outside, at the door: who may give them, what they may be, and that each counts once. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId, type SessionId } from '../../src/kernel/id.ts';
import { TOOL_ANSWER_BYTES_MAX } from '../../src/sessions/tool-answer.ts';
import { type Answer, Door, ROOT_KEY } from '../support/door.ts';

const MUTATION = `mutation ($input: AnswerToolCallInput!, $key: String) { answerToolCall(input: $input, idempotencyKey: $key) {
  ... on AnswerToolCallPayload { callId applied resolution eventId replayed session { status } } ... on Fault { code message } } }`;
const lookup = { name: 'lookup', description: 'Looks it up.', inputSchema: { type: 'object' } };

let door: Door;
let agents = 0;
beforeAll(async () => {
  door = await Door.open({ operations: { client: 2_000 } });
});
afterAll(() => door.close());

/** A session that waits for a call of each of these tools: t1m1.0, t1m1.1 … */
async function waiting(...tools: readonly string[]): Promise<SessionId> {
  const name = `clerk ${(agents += 1)}`;
  await door.agents.create({ name, model: 'rehearsal/echo', prompt: 'p', tools: [lookup] });
  const { session } = await door.sessions.start({ agent: name, input: 'go', actor: { kind: 'human' } });
  await door.beginTurn(session.id);
  const calls = tools.map((tool, index) => ({
    type: 'tool.call' as const,
    actor: { kind: 'agent' as const },
    body: { callId: `t1m1.${index}`, modelCallId: 't1m1', toolUseId: 'u', tool, input: {} },
  }));
  await door.record(session.id, ...calls);
  return session.id;
}

async function answer(
  sessionId: SessionId,
  given: object,
  { key, bearer = ROOT_KEY }: { readonly key?: string; readonly bearer?: string } = {},
): Promise<Answer> {
  const input = { sessionId, callId: 't1m1.0', ...given };
  const { body } = await door.post(MUTATION, { input, key }, bearer);
  return body.data?.answerToolCall ?? body;
}

async function lastEvents(sessionId: SessionId, count: number) {
  const { head } = await door.sessions.get(sessionId);
  const events = await door.store.journal.read(sessionId, { after: head - count, limit: count });
  return events.map(({ type, actor, body }) => ({ type, actor, body: JSON.parse(body) }));
}

describe('an answer', () => {
  it.each([
    [{ text: 'found' }, 'ANSWERED', 'ok', 'found'],
    [{ text: '' }, 'ANSWERED', 'ok', ''],
    [{ json: { at: [1, 'two', null] } }, 'ANSWERED', 'ok', '{"at":[1,"two",null]}'],
    [{ json: 7 }, 'ANSWERED', 'ok', '7'],
    [{ error: 'No such order.' }, 'FAILED', 'failed', 'No such order.'],
  ])('of %j is the result, by who gave it', async (given, resolution, outcome, output) => {
    const id = await waiting('lookup');

    const said = await answer(id, given);

    expect(said).toMatchObject({
      applied: true,
      resolution,
      replayed: false,
      session: { status: 'RUNNING' },
    });
    const [resolved, result] = await lastEvents(id, 2);
    expect(resolved).toMatchObject({ type: 'tool.resolved', actor: { kind: 'human', display: 'root' } });
    expect(result?.body).toMatchObject({ callId: 't1m1.0', outcome, output });
  });

  it.each([
    [{}, 'exactly one'],
    [{ text: 'a', json: 1 }, 'exactly one'],
    [{ text: 'a', error: 'b' }, 'exactly one'],
    [{ error: ' ' }, 'some text'],
    [{ text: 'x'.repeat(TOOL_ANSWER_BYTES_MAX + 1) }, 'at most'],
    [{ json: 'x'.repeat(TOOL_ANSWER_BYTES_MAX) }, 'at most'],
    [{ callId: 't1m1.7', text: 'a' }, 'a tool call of this session'],
    [{ callId: 't9m1.0', text: 'a' }, 'a tool call of this session'],
    [{ callId: 'x', text: 'a' }, 'a tool call of this session'],
  ])('that is none is refused, and changes nothing', async (given, said) => {
    const id = await waiting('lookup');
    const before = await door.sessions.get(id);

    const refused = await answer(id, given);

    expect(refused).toMatchObject({ code: 'INVALID_INPUT', message: expect.stringContaining(said) });
    expect(await door.sessions.get(id)).toEqual(before);
  });

  it('proves TOOLS-3: counts once; who comes later is told what stands', async () => {
    const id = await waiting('lookup', 'lookup');
    const first = await Promise.all(
      Array.from({ length: 8 }, (_, at) => answer(id, { text: `answer ${at}` })),
    );

    expect(first.filter(({ applied }) => applied)).toHaveLength(1);
    expect(new Set(first.map(({ eventId }) => eventId)).size).toBe(1);
    expect(first.every(({ resolution }) => resolution === 'ANSWERED')).toBe(true);
    const { head } = await door.sessions.get(id);
    expect(await answer(id, { error: 'late' })).toMatchObject({ applied: false, resolution: 'ANSWERED' });
    expect((await door.sessions.get(id)).head).toBe(head);

    await door.sessions.cancel(id, { kind: 'human' });
    const late = await answer(id, { callId: 't1m1.1', text: 'late' });
    expect(late).toMatchObject({ applied: false, resolution: 'CANCELED', session: { status: 'IDLE' } });
    await door.sessions.archive(id, { kind: 'human' });
    expect(await answer(id, { text: 'later' })).toMatchObject({ applied: false, resolution: 'ANSWERED' });
  });

  it('to a call that the hands run is told that it waits for nobody', async () => {
    const id = await waiting('bash');

    expect(await answer(id, { text: 'a' })).toMatchObject({
      applied: false,
      resolution: null,
      eventId: null,
    });
  });

  it('is answered again under its key, and another one under it is a conflict', async () => {
    const id = await waiting('lookup', 'lookup');
    const first = await answer(id, { text: 'found' }, { key: 'k' });
    expect(first).toMatchObject({ applied: true, replayed: false });

    const again = await answer(id, { text: 'found' }, { key: 'k' });

    expect(again).toEqual({ ...first, replayed: true });
    for (const other of [
      { text: 'else' },
      { error: 'found' },
      { text: 'found', callId: 't1m1.1' },
      { text: 'a', error: 'b' },
    ])
      expect(await answer(id, other, { key: 'k' })).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
  });

  it('is for keys that may write and for tokens that may answer or steer, of this session', async () => {
    const id = await waiting('lookup', 'lookup', 'lookup');
    const tokenOf = async (sessionId: SessionId, scope: 'read' | 'steer' | 'answer') =>
      (await door.access.mintClientToken(door, sessionId, { scopes: [scope] })).token;
    const as = async (bearer: string, callId = 't1m1.0') => answer(id, { callId, text: 'a' }, { bearer });

    expect(await as(await door.grantKey(['sessions:read']))).toMatchObject({ code: 'FORBIDDEN' });
    expect(await as(await tokenOf(id, 'read'))).toMatchObject({ code: 'FORBIDDEN' });
    expect(await as(await tokenOf(newId('session'), 'answer'))).toMatchObject({ code: 'SESSION_NOT_FOUND' });
    expect(await as(await tokenOf(id, 'answer'))).toMatchObject({ applied: true });
    expect(await as(await tokenOf(id, 'steer'), 't1m1.1')).toMatchObject({ applied: true });
    expect(await as(await door.grantKey(['sessions:write']), 't1m1.2')).toMatchObject({ applied: true });
    const [resolved] = await lastEvents(id, 2);
    expect(resolved?.actor).toMatchObject({ kind: 'human', id: expect.stringMatching(/^key_/) });
  });
});

describe('tools of an agent', () => {
  const CREATE = `mutation ($input: CreateAgentInput!) { createAgent(input: $input) {
    ... on CreateAgentPayload { replayed agent { id revision tools { name description inputSchema timeoutSeconds } } }
    ... on Fault { code message } } }`;
  const UPDATE = `mutation ($input: UpdateAgentInput!) { updateAgent(input: $input) {
    ... on UpdateAgentPayload { replayed agent { revision tools { name } } } ... on Fault { code message } } }`;
  const input = { name: 'declared', model: 'rehearsal/echo', prompt: 'p' };
  const schema = {
    type: 'object',
    properties: { $ref: {}, 'a.b': { $ref: '#/$defs/c' } },
    $defs: { c: true },
  };
  const tool = { ...lookup, inputSchema: { ...schema, properties: { 'a.b': { $ref: '#/$defs/c' } } } };

  it('are with its revision: read back as given, replaced, taken away; a bad one changes nothing', async () => {
    const made = (await door.post(CREATE, { input: { ...input, tools: [tool] } })).body.data.createAgent;
    expect(made.agent).toMatchObject({ revision: 1, tools: [{ ...tool, timeoutSeconds: null }] });
    const { id } = made.agent;
    const update = async (more: object) =>
      (await door.post(UPDATE, { input: { id, ...more } })).body.data.updateAgent;

    expect(await update({ prompt: 'q' })).toMatchObject({
      agent: { revision: 2, tools: [{ name: 'lookup' }] },
    });
    expect(await update({ tools: [tool] })).toMatchObject({ replayed: true, agent: { revision: 2 } });
    const bad = { ...tool, inputSchema: { type: 'object', properties: { a: { pattern: '(' } } } };
    expect(await update({ tools: [bad] })).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(/^tools\[0\]\.inputSchema: /),
    });
    expect(await update({ tools: [{ ...tool, name: 'find' }] })).toMatchObject({
      agent: { revision: 3, tools: [{ name: 'find' }] },
    });
    expect(await update({ tools: [] })).toMatchObject({ agent: { revision: 4, tools: [] } });
    const again = (await door.post(CREATE, { input: { ...input, prompt: 'q' } })).body.data.createAgent;
    expect(again).toMatchObject({ replayed: true, agent: { revision: 4 } });
  });
});
