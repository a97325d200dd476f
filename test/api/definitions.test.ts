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

  it('with an inline key do not become the default of all others', async () => {
    const { agent } = await createAgent({ name: 'inline', key: 'sk-inline-4567' });

    expect((await door.credentials.get(agent.credentialId)).isDefault).toBe(false);
    expect(
      await door.credentials.defaultOf('anthropic'),
      'only inline keys were given so far',
    ).toBeUndefined();
    expect(
      await createAgent({ name: 'n'.repeat(128), key: 'sk-inline-8901' }, 'k'.repeat(255)),
    ).toMatchObject({
      replayed: false,
    });
  });

  it('given a key replace the key that is theirs alone, and say that something was replaced', async () => {
    const { agent } = await createAgent({ name: 'rotating', key: 'sk-before-0000' });
    const updated = await updateAgent({ id: agent.id, key: 'sk-after-1111' });

    expect(updated).toMatchObject({ agent: { credentialId: agent.credentialId }, replayed: false });
    expect((await door.credentials.open(agent.credentialId))?.open()).toBe('sk-after-1111');
  });

  it('given a key leave a credential alone that others use', async () => {
    const { credential } = await createCredential({ name: 'shared', key: 'sk-shared-0000' });
    const { agent: one } = await createAgent({ name: 'sharer', credentialId: credential.id });
    const { agent: inline } = await createAgent({ name: 'lender', key: 'sk-lender-0000' });
    const { agent: two } = await createAgent({ name: 'borrower', credentialId: inline.credentialId });
    const { agent: three } = await createAgent({ name: 'giver', key: 'sk-giver-0000' });
    const { credential: standard } = await createCredential({ name: 'standard', isDefault: true });
    await door.credentials.update(three.credentialId, { isDefault: true });

    for (const agent of [one, two, three]) {
      const { agent: after, replayed } = await updateAgent({ id: agent.id, key: 'sk-of-its-own' });
      const again = await updateAgent({ id: agent.id, key: 'sk-of-its-own-2' });

      expect(replayed).toBe(false);
      expect(after.credentialId).not.toBe(agent.credentialId);
      expect(again.agent.credentialId, 'now it has one').toBe(after.credentialId);
    }
    expect((await door.credentials.open(credential.id))?.open()).toBe('sk-shared-0000');
    expect((await door.credentials.open(inline.credentialId))?.open()).toBe('sk-lender-0000');
    expect((await door.credentials.open(three.credentialId))?.open()).toBe('sk-giver-0000');
    await door.credentials.update(standard.id, { isDefault: true });
  });

  it('whose change is refused keep no key of it', async () => {
    const { agent } = await createAgent({ name: 'unchanged' });
    const before = await door.credentials.list({ limit: 500 });

    expect(await updateAgent({ id: agent.id, key: 'sk-refused-0000', prompt: ' ' })).toMatchObject({
      __typename: 'InvalidInput',
    });
    expect(await updateAgent({ id: agent.id, key: 'short', prompt: 'Another.' })).toMatchObject({
      __typename: 'InvalidInput',
    });
    const both = await Promise.all(
      ['one', 'two'].map((prompt) =>
        createAgent({ name: 'contested', key: `sk-contested-${prompt}`, prompt }),
      ),
    );
    expect(new Set(both.map(({ __typename }) => __typename))).toEqual(
      new Set(['AgentNameTaken', 'CreateAgentPayload']),
    );
    expect(await door.credentials.list({ limit: 500 })).toHaveLength(before.length + 1);
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
