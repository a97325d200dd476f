/** Decisions about calls that wait to be approved, at the door: who may take them, what they may be, and that each counts once. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId, type SessionId } from '../../src/kernel/id.ts';
import { CHANGED_INPUT_BYTES_MAX } from '../../src/sessions/tool-approval.ts';
import { ADDED_RULES_MAX, PATTERN_CHARS_MAX } from '../../src/sessions/tool-rule-request.ts';
import { type Answer, Door, ROOT_KEY } from '../support/door.ts';

const SHOWN = 'callId applied resolution eventId replayed session { status }';
const FIELDS = {
  approve: `mutation ($input: ApproveToolCallInput!, $key: String) { it: approveToolCall(input: $input, idempotencyKey: $key) {
    ... on ApproveToolCallPayload { ${SHOWN} rule { tool action command path } } ... on Fault { code message } } }`,
  deny: `mutation ($input: DenyToolCallInput!, $key: String) { it: denyToolCall(input: $input, idempotencyKey: $key) {
    ... on DenyToolCallPayload { ${SHOWN} } ... on Fault { code message } } }`,
};
const RULES = [{ tool: 'bash', action: 'ask', reason: 'Commands are looked at.' }];

let door: Door;
let agents = 0;
beforeAll(async () => {
  door = await Door.open({ operations: { client: 2_000 } });
});
afterAll(() => door.close());

interface Given {
  readonly toolRules?: readonly { tool: string; action: string }[];
  readonly agentRules?: readonly { tool: string; action: string }[];
}

async function started({ toolRules, agentRules = RULES }: Given = {}): Promise<SessionId> {
  const name = `agent ${(agents += 1)}`;
  const tools = [{ name: 'lookup', description: 'Looks it up.', inputSchema: { type: 'object' } }];
  await door.agents.create({ name, model: 'rehearsal/echo', prompt: 'p', tools, toolRules: agentRules });
  const { session } = await door.sessions.start({
    agent: name,
    input: 'go',
    toolRules,
    actor: { kind: 'human' },
  });
  await door.beginTurn(session.id);
  return session.id;
}

/** Calls t1m1.0, t1m1.1 … of bash with these commands, or of another tool. */
async function called(sessionId: SessionId, inputs: readonly object[], tool = 'bash'): Promise<void> {
  const calls = inputs.map((input, index) => ({
    type: 'tool.call' as const,
    actor: { kind: 'agent' as const },
    body: { callId: `t1m1.${index}`, modelCallId: 't1m1', toolUseId: 'u', tool, input },
  }));
  await door.record(sessionId, ...calls);
}

async function waiting(command = 'make'): Promise<SessionId> {
  const id = await started();
  await called(id, [{ command }]);
  return id;
}

async function say(
  what: keyof typeof FIELDS,
  sessionId: SessionId,
  given: object = {},
  { key, bearer = ROOT_KEY }: { readonly key?: string; readonly bearer?: string } = {},
): Promise<Answer> {
  const input = { sessionId, callId: 't1m1.0', ...given };
  const { body } = await door.post(FIELDS[what], { input, key }, bearer);
  return body.data?.it ?? body;
}

async function lastEvents(sessionId: SessionId, count: number) {
  const { head } = await door.sessions.get(sessionId);
  const events = await door.store.journal.read(sessionId, { after: head - count, limit: count });
  return events.map(({ type, actor, body }) => ({ type, actor, body: JSON.parse(body) }));
}

describe('a call that waits', () => {
  it('is shown with its turn, and the session says what it waits for', async () => {
    const id = await waiting();
    const { body } = await door.post(
      `{ session(id: "${id}") { ... on Session { status why turn { state requests { callId tool requestKind since expiresAt } } } } }`,
      {},
    );
    expect(body.data?.session).toMatchObject({
      status: 'AWAITING_INPUT',
      why: expect.stringMatching(
        /^Waits for somebody to approve or deny bash \(approveToolCall, denyToolCall\) since /,
      ),
      turn: {
        state: 'RUNNING',
        requests: [
          {
            callId: 't1m1.0',
            tool: 'bash',
            requestKind: 'APPROVAL',
            since: expect.any(String),
            expiresAt: null,
          },
        ],
      },
    });
    expect((await lastEvents(id, 1))[0]).toMatchObject({
      type: 'tool.requested',
      body: { input: { command: 'make' }, reason: 'Commands are looked at.' },
    });
  });

  it('is approved by who has the key, or a token that may answer, and the log says by whom', async () => {
    for (const bearer of [
      ROOT_KEY,
      undefined, // a token of the session
    ]) {
      const id = await waiting();
      const token = bearer ?? (await door.access.mintClientToken(door, id, { scopes: ['answer'] })).token;
      const said = await say('approve', id, {}, { bearer: token });
      expect(said).toMatchObject({ applied: true, resolution: 'APPROVED' });
      const [event] = await lastEvents(id, 1);
      expect(event).toMatchObject({
        type: 'tool.resolved',
        body: { callId: 't1m1.0', resolution: 'approved' },
      });
      expect(event?.actor.kind).toBe('human');
    }
  });

  it('is not approved by a token that may steer', async () => {
    const id = await waiting();
    const { token } = await door.access.mintClientToken(door, id, { scopes: ['read', 'steer'] });
    expect(await say('approve', id, {}, { bearer: token })).toMatchObject({ code: 'FORBIDDEN' });
    expect(await say('deny', id, {}, { bearer: token })).toMatchObject({ code: 'FORBIDDEN' });
  });

  it('is denied with a reason, which the model is told', async () => {
    const id = await waiting();
    expect(await say('deny', id, { reason: 'Not now.' })).toMatchObject({
      applied: true,
      resolution: 'DENIED',
      session: { status: 'RUNNING' },
    });
    const [resolved, result] = await lastEvents(id, 2);
    expect(resolved?.body).toMatchObject({ resolution: 'denied', reason: 'Not now.' });
    expect(result?.body).toMatchObject({
      outcome: 'denied',
      output: 'This call was denied: it was not run. Not now.',
    });
  });
});

describe('a decision (proves APPROVAL-3)', () => {
  it('counts once: the second is told what stands', async () => {
    const id = await waiting();
    const first = await say('approve', id);
    for (const what of ['approve', 'deny'] as const)
      expect(await say(what, id)).toMatchObject({
        applied: false,
        resolution: 'APPROVED',
        eventId: first.eventId,
      });
    expect(await say('approve', id, { callId: 't1m1.9' })).toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('is answered again under its key, and another one under that key is a conflict', async () => {
    const id = await waiting();
    const first = await say('approve', id, { input: { command: 'ls' } }, { key: 'k' });
    await called(id, []).catch(() => undefined);
    expect(await say('approve', id, { input: { command: 'ls' } }, { key: 'k' })).toEqual({
      ...first,
      replayed: true,
    });
    for (const given of [{}, { input: { command: 'rm' } }, { callId: 't1m1.1' }])
      expect(await say('approve', id, given, { key: 'k' })).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
    expect(await say('deny', id, {}, { key: 'k' })).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
  });

  it.each([
    ['approve', { input: 7 }, 'a JSON object'],
    ['approve', { input: [] }, 'a JSON object'],
    ['approve', { input: { command: 'x'.repeat(CHANGED_INPUT_BYTES_MAX) } }, 'at most'],
    ['approve', { input: { command: 'ls' }, forSession: true }, 'no changed input'],
    ['deny', { reason: ' ' }, 'reason'],
    ['deny', { reason: 'x'.repeat(5_000) }, 'at most'],
  ] as const)('that cannot be taken is refused, and changes nothing: %s %j', async (what, given, said) => {
    const id = await waiting();
    const before = await door.sessions.get(id);
    expect(await say(what, id, given)).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining(said),
    });
    expect(await door.sessions.get(id)).toEqual(before);
  });

  it('of the other kind is refused; of another session there is none', async () => {
    const id = await started();
    await called(id, [{}], 'lookup');
    expect(await say('approve', id)).toMatchObject({ code: 'INVALID_INPUT' });
    expect(await say('approve', newId('session'))).toMatchObject({ code: 'SESSION_NOT_FOUND' });
  });
});

describe('rules', () => {
  it('of the agent and of the session are kept; a session lets run what its agent asks about, and not what it denies', async () => {
    const agentRules = [
      { tool: 'bash', action: 'ask' },
      { tool: 'write', action: 'deny' },
    ];
    const id = await started({ agentRules, toolRules: [{ tool: '*', action: 'allow' }] });
    await called(id, [{ command: 'make' }]);
    expect((await lastEvents(id, 1))[0]?.type).toBe('tool.call');
    await called(id, [{ path: 'a', content: '' }], 'write');
    expect((await lastEvents(id, 1))[0]?.body).toMatchObject({ outcome: 'denied' });
  });

  it('of a tool that there is not are refused, at the agent and at the start', async () => {
    const rule = { tool: 'nosuch', action: 'ASK' };
    const { body } = await door.post(
      `mutation ($input: CreateAgentInput!) { createAgent(input: $input) { ... on Fault { code message } } }`,
      { input: { name: 'rules', model: 'rehearsal/echo', prompt: 'p', toolRules: [rule] } },
    );
    expect(body.data?.createAgent).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('toolRules[0].tool'),
    });
    await expect(started({ toolRules: [{ tool: 'nosuch', action: 'ask' }] })).rejects.toThrow(
      'toolRules[0].tool',
    );
  });

  it('make a revision, are read again, and stay when something else changes', async () => {
    const { agent } = await door.agents.create({ name: 'revised', model: 'rehearsal/echo', prompt: 'p' });
    const change = `mutation ($input: UpdateAgentInput!) { updateAgent(input: $input) {
      ... on UpdateAgentPayload { agent { revision toolRules { tool action command reason } } } ... on Fault { code message } } }`;
    const rule = { tool: 'bash', action: 'ALLOW', command: 'git *', reason: null };
    const given = async (input: object) =>
      (await door.post(change, { input: { id: agent.id, ...input } })).body.data?.updateAgent;
    expect(await given({ toolRules: [rule] })).toEqual({ agent: { revision: 2, toolRules: [rule] } });
    expect(await given({ prompt: 'q' })).toEqual({ agent: { revision: 3, toolRules: [rule] } });
    expect(await given({ toolRules: [rule] })).toEqual({ agent: { revision: 3, toolRules: [rule] } });
    expect(await given({ toolRules: [] })).toEqual({ agent: { revision: 4, toolRules: [] } });
  });

  it('that an approval adds hold for that call in this session, and are bounded', async () => {
    const id = await started();
    await called(id, [{ command: 'make a && make b' }]);
    expect(await say('approve', id, { forSession: true })).toMatchObject({
      rule: { tool: 'bash', action: 'ALLOW', command: 'make a && make b' },
    });
    await called(
      id,
      [{ command: 'make a && make b' }, { command: 'make c' }].map((input) => input),
    );
    const asked = (await lastEvents(id, 3)).filter(({ type }) => type === 'tool.requested');
    expect(asked.map(({ body }) => body.input.command)).toEqual(['make c']);

    const long = await waiting('x'.repeat(PATTERN_CHARS_MAX + 1));
    expect(await say('approve', long, { forSession: true })).toMatchObject({ code: 'INVALID_INPUT' });

    const many = await started();
    await called(
      many,
      Array.from({ length: ADDED_RULES_MAX + 1 }, (_, at) => ({ command: `make ${at}` })),
    );
    for (let at = 0; at < ADDED_RULES_MAX; at += 1)
      expect(await say('approve', many, { callId: `t1m1.${at}`, forSession: true })).toMatchObject({
        applied: true,
      });
    const last = { callId: `t1m1.${ADDED_RULES_MAX}` };
    expect(await say('approve', many, { ...last, forSession: true })).toMatchObject({
      code: 'INVALID_INPUT',
    });
    expect(await say('approve', many, last)).toMatchObject({ applied: true });
  });
});
