/** Deleting agents over HTTP: what is answered, who may, and what stays to be seen. */
import { afterAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/kernel/id.ts';
import { type Answer, Door } from '../support/door.ts';
import { FAULT, operationsOf } from '../support/operations.ts';

const door = await Door.open();
const { createAgent, updateAgent, startSession, onSession } = operationsOf(door);
afterAll(() => door.close());

async function deleteAgent(variables: object, bearer?: string): Promise<Answer> {
  const query = `mutation ($id: ID!, $force: Boolean, $key: String) { deleteAgent(id: $id, force: $force, idempotencyKey: $key) {
    ... on DeleteAgentPayload { agent { id name deletedAt } replayed } ${FAULT}
    ... on AgentInUse { agentId sessionId } } }`;
  return (await door.ask(query, variables, bearer)).deleteAgent;
}

describe('a deleted agent', () => {
  it('is refused while it is in use, then forced, and seen from its sessions', async () => {
    const { agent } = await createAgent({ name: 'busy' });
    const { session } = await startSession({ agent: 'busy', input: 'go' });

    expect(await deleteAgent({ id: agent.id })).toMatchObject({
      __typename: 'AgentInUse',
      code: 'AGENT_IN_USE',
      agentId: agent.id,
      sessionId: session.id,
    });
    const forced = await deleteAgent({ id: agent.id, force: true, key: 'once' });
    expect(forced).toMatchObject({ agent: { id: agent.id, name: 'busy' }, replayed: false });
    expect(await deleteAgent({ id: agent.id })).toEqual({ ...forced, replayed: true });

    const seen = await door.ask(
      `query ($id: ID!, $agentId: ID!) { session(id: $id) { ... on Session { status agent { name deletedAt prompt } } }
        agent(id: $agentId) { ... on Agent { deletedAt } } agents { nodes { id } } }`,
      { id: session.id, agentId: agent.id },
    );
    const { deletedAt } = forced.agent;
    expect(seen).toMatchObject({
      session: { status: 'ARCHIVED', agent: { name: 'busy', deletedAt, prompt: 'Be brief.' } },
      agent: { deletedAt },
    });
    expect(seen.agents.nodes).not.toContainEqual({ id: agent.id });
    const named = `query ($name: String) { agent(name: $name) { ... on Agent { deletedAt } ${FAULT} } }`;
    expect((await door.ask(named, { name: 'busy' })).agent).toMatchObject({ code: 'AGENT_NOT_FOUND' });
    expect((await door.ask(named, { name: agent.id })).agent).toMatchObject({ deletedAt });
    expect(await startSession({ agent: agent.id, input: 'x' })).toMatchObject({ code: 'AGENT_GONE' });
    expect(await startSession({ agent: 'busy', input: 'x' })).toMatchObject({ code: 'AGENT_NOT_FOUND' });
    expect(await updateAgent({ id: agent.id, prompt: 'x' })).toMatchObject({ code: 'AGENT_GONE' });
    expect((await createAgent({ name: 'busy' })).agent.id).not.toBe(agent.id);
  });

  it('is refused with a typed Fault where the id is not one, and to a client token', async () => {
    const { agent } = await createAgent({ name: 'kept' });
    const { session, clientToken } = await startSession({ agent: 'kept', input: 'go' });
    await onSession('archiveSession', session.id);

    expect(await deleteAgent({ id: 'kept' })).toMatchObject({ code: 'INVALID_INPUT' });
    expect(await deleteAgent({ id: newId('agent'), force: true })).toMatchObject({ code: 'AGENT_NOT_FOUND' });
    expect(await deleteAgent({ id: agent.id, key: '' })).toMatchObject({ code: 'INVALID_INPUT' });
    expect(await deleteAgent({ id: agent.id }, clientToken.token)).toMatchObject({ code: 'FORBIDDEN' });
    expect(await deleteAgent({ id: agent.id })).toMatchObject({ replayed: false });
  });
});
