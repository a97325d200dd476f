/** Agents and credentials over HTTP: what they answer, and each Fault that they list. */
import { afterAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/kernel/id.ts';
import { Door } from '../support/door.ts';
import { FAULT, MODEL, MODEL_KEY, operationsOf } from '../support/operations.ts';

const door = await Door.open();
const { createAgent, updateAgent, createCredential, updateCredential, deleteCredential } = operationsOf(door);
afterAll(() => door.close());

describe('agents', () => {
  it('are defined once and replayed, and found by id and by name', async () => {
    const { agent, replayed } = await createAgent({ name: 'first', limits: { tokens: 5_000_000_000 } });
    const again = await createAgent({ name: 'first', limits: { tokens: 5_000_000_000 } });
    const byId = await door.ask(`{ agent(id: "${agent.id}") { ... on Agent { name } } }`);
    const byName = await door.ask('{ agent(name: "first") { ... on Agent { id } } }');

    expect([replayed, again.replayed, again.agent]).toEqual([false, true, agent]);
    expect(agent).toMatchObject({
      name: 'first',
      model: MODEL,
      revision: 1,
      limits: { tokens: 5_000_000_000, turns: null },
    });
    expect([byId.agent.name, byName.agent.id]).toEqual(['first', agent.id]);
  });

  it('make a revision when the prompt changes, and none when nothing does', async () => {
    const { agent } = await createAgent({ name: 'changing' });

    expect(await updateAgent({ id: agent.id, prompt: 'Be long.' })).toMatchObject({
      agent: { revision: 2, prompt: 'Be long.' },
      replayed: false,
    });
    expect(await updateAgent({ id: agent.id, prompt: 'Be long.' })).toMatchObject({
      agent: { revision: 2 },
      replayed: true,
    });
  });

  it('keep an inline key as a credential, and give it up for the default', async () => {
    const { agent } = await createAgent({ name: 'with a key', key: 'sk-inline-0123' });
    const { credential } = await door.ask(
      `{ credential(id: "${agent.credentialId}") { ... on Credential { last4 } } }`,
    );

    expect(credential.last4).toBe('0123');
    expect(await updateAgent({ id: agent.id, credentialId: null })).toMatchObject({
      agent: { credentialId: null },
    });
  });

  it('refuse with a typed Fault', async () => {
    await createAgent({ name: 'taken' });
    await createAgent({ name: 'keyed' }, 'agent-key');

    expect(await createAgent({ name: 'taken', prompt: 'Another.' })).toMatchObject({
      __typename: 'AgentNameTaken',
    });
    expect(await createAgent({ name: 'keyed too' }, 'agent-key')).toMatchObject({
      __typename: 'IdempotencyConflict',
    });
    expect(await createAgent({ name: '!' })).toMatchObject({
      __typename: 'InvalidInput',
      code: 'INVALID_INPUT',
    });
    expect(await createAgent({ name: 'no credential', credentialId: newId('credential') })).toMatchObject({
      __typename: 'CredentialNotFound',
    });
    expect(await updateAgent({ id: newId('agent'), prompt: 'x' })).toMatchObject({
      __typename: 'AgentNotFound',
    });
    expect(await updateAgent({ id: 'agt_1', prompt: 'x' })).toMatchObject({ __typename: 'InvalidInput' });
    const { agent: unknown } = await door.ask(`{ agent(name: "nobody") { ${FAULT} } }`);
    const { agent: both } = await door.ask(`{ agent { ${FAULT} } }`);
    expect([unknown.__typename, both.__typename]).toEqual(['AgentNotFound', 'InvalidInput']);
  });
});

describe('credentials', () => {
  it('are stored, rotated, renamed and deleted, and never show the key', async () => {
    const { credential, replayed } = await createCredential({ name: 'mine' }, 'cred-key');
    const again = await createCredential({ name: 'mine' }, 'cred-key');
    const rotated = await updateCredential({ id: credential.id, key: 'sk-test-rotated-9999' });
    const renamed = await updateCredential({ id: credential.id, name: 'ours' });
    const deleted = await deleteCredential(credential.id);

    expect([replayed, again.replayed, credential.last4]).toEqual([false, true, '6789']);
    expect(rotated).toMatchObject({ credential: { last4: '9999', name: 'mine' }, replayed: false });
    expect(renamed).toMatchObject({ credential: { name: 'ours' }, replayed: false });
    expect(await updateCredential({ id: credential.id, name: 'x' })).toMatchObject({
      __typename: 'CredentialNotFound',
    });
    expect(deleted).toMatchObject({ id: credential.id, replayed: false });
    expect(await deleteCredential(credential.id, 'delete-key')).toMatchObject({ replayed: true });
    expect(door.logs).not.toContain(MODEL_KEY);
  });

  it('refuse with a typed Fault', async () => {
    await createCredential({ name: 'a' }, 'conflict-key');

    expect(await createCredential({ name: 'b' }, 'conflict-key')).toMatchObject({
      __typename: 'IdempotencyConflict',
    });
    expect(await createCredential({ provider: 'nobody' })).toMatchObject({ __typename: 'InvalidInput' });
    expect(await deleteCredential(newId('credential'))).toMatchObject({ __typename: 'CredentialNotFound' });
    const { credential } = await door.ask(`{ credential(id: "${newId('credential')}") { ${FAULT} } }`);
    expect(credential.__typename).toBe('CredentialNotFound');
  });
});
