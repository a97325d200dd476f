/** A root key that was revoked, and a server that is started with it again. */
import { afterEach, expect, it } from 'vitest';
import { ROOT_KEY, World } from '../support/world.ts';

let world: World | undefined;
afterEach(() => world?.close());

it('proves KEY-4: HOLDFAST_ROOT_KEY stays revoked over starts, which say so, and other keys go on', async () => {
  world = await World.open();
  const made =
    await world.graphql(`mutation { createApiKey(input: { name: "other", scopes: [SESSIONS_READ, KEYS_WRITE] }) {
    ... on CreateApiKeyPayload { value } } }`);
  const { value } = made.createApiKey;
  const { apiKeys } = await world.graphql('{ apiKeys { nodes { id name } } }');
  const root = apiKeys.nodes.find(({ name }: { name: string }) => name === 'root');
  const { revokeApiKey } = await world.graphql(`mutation { revokeApiKey(id: "${root.id}") { __typename } }`);
  expect(revokeApiKey).toEqual({ __typename: 'RevokeApiKeyPayload' });

  await world.stop();
  await world.start();

  await expect(world.graphql('{ agents { nodes { id } } }', {}, ROOT_KEY)).rejects.toThrow('UNAUTHENTICATED');
  expect(await world.graphql('{ sessions { nodes { id } } }', {}, value)).toEqual({
    sessions: { nodes: [] },
  });
  const { auditEntries } = await world.graphql(
    '{ auditEntries(first: 100, filter: { action: "server.keyMade" }) { nodes { target { id } actor { kind } } } }',
    {},
    value,
  );
  expect(auditEntries.nodes, 'the first start alone').toEqual([
    { target: { id: root.id }, actor: { kind: 'SYSTEM' } },
  ]);
  expect(world.output).toContain('HOLDFAST_ROOT_KEY is the value of an API key that was revoked');
  expect(world.logs).toContain('HOLDFAST_ROOT_KEY is the value of an API key that was revoked');
});
