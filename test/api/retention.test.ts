/** Retention over HTTP: rules are set, read and tried, and each Fault is typed. */
import { afterAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/kernel/id.ts';
import { useCasesOver } from '../../src/sessions/use-cases.ts';
import { type Answer, Door } from '../support/door.ts';
import { FAULT, operationsOf } from '../support/operations.ts';

const door = await Door.open();
const { createAgent, startSession, onSession } = operationsOf(door);
afterAll(() => door.close());

const DAY = 86_400_000;
const RETENTION = '{ agentId archivedDays idleDays isInherited updatedAt }';
const NOTHING = { archivedDays: null, idleDays: null };

async function setRetention(input: object, key?: string, bearer?: string): Promise<Answer> {
  const query = `mutation ($input: SetRetentionInput!, $key: String) { setRetention(input: $input, idempotencyKey: $key) {
    ... on SetRetentionPayload { retention ${RETENTION} replayed } ${FAULT} } }`;
  return (await door.ask(query, { input, key }, bearer)).setRetention;
}

async function retention(agentId?: string, bearer?: string): Promise<Answer> {
  const query = `query ($agentId: ID) { retention(agentId: $agentId) { ... on Retention ${RETENTION} ${FAULT} } }`;
  return (await door.ask(query, { agentId }, bearer)).retention;
}

async function preview(variables: object, bearer?: string): Promise<Answer> {
  const query = `query ($agentId: ID, $rule: RetentionRuleInput, $first: Int) {
    retentionPreview(agentId: $agentId, rule: $rule, first: $first) {
      ... on RetentionPreview { asOf count isComplete sessions { sessionId agentId status statusAt reason dueAt } } ${FAULT} } }`;
  return (await door.ask(query, variables, bearer)).retentionPreview;
}

describe('the rules of retention', () => {
  it('keep everything at first, are set as a whole, and an agent’s replaces the organisation’s', async () => {
    const { agent } = await createAgent({ name: 'ruled' });
    expect(await retention()).toMatchObject({
      ...NOTHING,
      agentId: null,
      isInherited: false,
      updatedAt: null,
    });

    const set = await setRetention({ archivedDays: 30, idleDays: 90 });
    expect(set).toMatchObject({ retention: { archivedDays: 30, idleDays: 90 }, replayed: false });
    expect(await setRetention({ archivedDays: 30, idleDays: 90 })).toEqual({ ...set, replayed: true });
    expect(await retention(agent.id)).toMatchObject({
      agentId: agent.id,
      archivedDays: 30,
      idleDays: 90,
      isInherited: true,
    });

    await setRetention({ agentId: agent.id, idleDays: 7 });
    expect(await retention(agent.id)).toMatchObject({ archivedDays: null, idleDays: 7, isInherited: false });
    await setRetention({ agentId: agent.id, inherit: true });
    expect(await retention(agent.id)).toMatchObject({ archivedDays: 30, isInherited: true });
    expect(await setRetention({})).toMatchObject({ retention: NOTHING, replayed: false });
    expect(await retention()).toMatchObject(NOTHING);
  });

  it('are set once for an idempotency key, also when they were changed since', async () => {
    const { agent } = await createAgent({ name: 'once' });
    const input = { agentId: agent.id, idleDays: 5 };
    expect(await setRetention(input, 'k')).toMatchObject({ retention: { idleDays: 5 }, replayed: false });
    await setRetention({ ...input, idleDays: 6 });

    expect(await setRetention(input, 'k')).toMatchObject({ retention: { idleDays: 6 }, replayed: true });
    expect(await setRetention({ ...input, idleDays: 8 }, 'k')).toMatchObject({
      code: 'IDEMPOTENCY_CONFLICT',
    });
    expect(await retention(agent.id)).toMatchObject({ idleDays: 6 });
  });

  it.each([
    [{ archivedDays: 0 }, 'archivedDays'],
    [{ idleDays: -1 }, 'idleDays'],
    [{ idleDays: 36_501 }, 'idleDays'],
    [{ inherit: true }, 'inherit'],
    [{ agentId: 'ruled', idleDays: 1 }, 'agentId'],
  ])('are refused with a typed Fault: %j', async (input, field) => {
    const before = await retention();
    expect(await setRetention(input)).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining(field),
    });
    expect(await retention()).toEqual(before);
  });

  it('are of agents that there are, and not for client tokens', async () => {
    const { agent } = await createAgent({ name: 'strangers' });
    const { clientToken } = await startSession({ agent: 'strangers', input: 'go' });
    const nobody = newId('agent');

    expect(await setRetention({ agentId: nobody, idleDays: 1 })).toMatchObject({ code: 'AGENT_NOT_FOUND' });
    expect(await retention(nobody)).toMatchObject({ code: 'AGENT_NOT_FOUND' });
    expect(await preview({ agentId: nobody })).toMatchObject({ code: 'AGENT_NOT_FOUND' });
    expect(await setRetention({ agentId: agent.id, idleDays: 1, inherit: true })).toMatchObject({
      code: 'INVALID_INPUT',
    });
    for (const answer of [
      await setRetention({ idleDays: 1 }, undefined, clientToken.token),
      await retention(undefined, clientToken.token),
      await preview({}, clientToken.token),
    ])
      expect(answer).toMatchObject({ code: 'FORBIDDEN' });
  });
});

describe('a preview', () => {
  it('shows what would go, by a rule that is tried or by those that there are, and changes nothing', async () => {
    const { agent } = await createAgent({ name: 'previewed' });
    const started = [];
    for (const input of ['a', 'b', 'c', 'd']) started.push(await startSession({ agent: 'previewed', input }));
    const [archived, idle, running, young] = started.map(({ session }) => session.id);
    // three of them rested for five days; what is stored says so
    const { journal } = door.store;
    const now = Date.now();
    await onSession('archiveSession', archived);
    await onSession('cancelTurn', idle);
    await onSession('cancelTurn', young);
    await door.beginTurn(running);
    const later = { now: () => now + 5 * DAY, monotonicNow: () => 0, sleep: async () => undefined };
    const seen = (rule: object, first = 50) =>
      door.store.retention
        .time()
        .then(() =>
          inFiveDays(later).preview({ agentId: agent.id, rule, first, turn: async () => undefined }),
        );
    const head = await journal.head(archived);

    expect((await seen({ archivedDays: 6, idleDays: 6 })).count).toBe(0);
    const both = await seen({ archivedDays: 4, idleDays: 4 });
    expect(both).toMatchObject({ count: 3, isComplete: true, asOf: now + 5 * DAY });
    expect(new Set(both.sessions.map(({ id, due }) => `${id} ${due.reason}`))).toEqual(
      new Set([`${archived} archived`, `${idle} idle`, `${young} idle`]),
    );
    expect(both.sessions.map(({ due }) => due.at)).toEqual(
      both.sessions.map(({ due }) => due.at).toSorted((one, other) => one - other),
    );
    expect(await seen({ idleDays: 4 }, 1)).toMatchObject({ count: 2, sessions: [{ status: 'idle' }] });
    expect((await seen({})).count).toBe(0);
    expect(await journal.head(archived)).toBe(head);

    expect(await preview({ rule: { idleDays: 1 } })).toMatchObject({
      count: 0,
      isComplete: true,
      sessions: [],
    });
    expect(await preview({ rule: { idleDays: 0 } })).toMatchObject({ code: 'INVALID_INPUT' });
    expect(await preview({ first: 501 })).toMatchObject({ code: 'INVALID_INPUT' });
  });
});

/** The use cases of a server whose clock says so. */
function inFiveDays(clock: Parameters<typeof useCasesOver>[0]['clock']) {
  const { store, organisationId: firstOrganisation } = door;
  const secrets = { put: never, create: never, get: never, delete: never };
  const ports = { ...store, secrets, clock, serverKeys: new Set<never>(), firstOrganisation };
  return useCasesOver(ports)(firstOrganisation).retention;
}

function never(): Promise<never> {
  return Promise.reject(new Error('no secret is asked for'));
}
