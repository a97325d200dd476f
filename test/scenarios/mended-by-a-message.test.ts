/** A session that failed for a refused key or an unknown model says what to do, and goes on by a message once it is mended. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Rehearsal, startRehearsal } from '../../src/rehearsal/rehearsal.ts';
import { parseScript } from '../../src/rehearsal/script.ts';
import { World } from '../support/world.ts';

const RIGHT = 'sk-ant-the-right-key-0001';
let service: Rehearsal;
let world: World;
beforeAll(async () => {
  const script = {
    description: 'One model, one key.',
    key: RIGHT,
    models: ['known'],
    rules: [{ answer: [{ text: 'Hello.' }] }],
  };
  const scripts = [parseScript('strict', JSON.stringify(script))];
  service = await startRehearsal({ port: 0, host: '127.0.0.1', scripts, fallback: 'strict' });
  world = await World.open({ ANTHROPIC_BASE_URL: service.url });
});
afterAll(async () => {
  await world.close();
  await service.close();
});

it('a refused key', async () => {
  await world.createAgent({ name: 'keyed', model: 'anthropic/known', key: 'sk-ant-the-wrong-key-0000' });
  const sessionId = await world.startSession({ agent: 'keyed', input: 'Hi.' });
  await world.status(sessionId, 'FAILED');
  const failed = await world.events(sessionId);
  expect(failed.find(({ type }) => type === 'error.model')?.body.code).toBe('MODEL_KEY_REFUSED');
  expect((await world.session(sessionId)).why).toContain('key');

  const { agent } = await world.graphql('{ agent(name: "keyed") { ... on Agent { credentialId } } }');
  const { updateCredential } = await world.graphql(
    `mutation { updateCredential(input: { id: "${agent.credentialId}", key: "${RIGHT}" }) { __typename ... on Fault { message } } }`,
  );
  expect(updateCredential).toEqual({ __typename: 'UpdateCredentialPayload' });
  await world.send(sessionId, 'And now?');
  await world.status(sessionId, 'IDLE');
});

it('a deleted key', async () => {
  await world.createAgent({ name: 'robbed', model: 'anthropic/known', key: RIGHT });
  const { agent } = await world.graphql('{ agent(name: "robbed") { ... on Agent { id credentialId } } }');
  const sessionId = await world.startSession({ agent: 'robbed', input: 'Hi.' });
  await world.status(sessionId, 'IDLE');
  await world.graphql(`mutation { deleteCredential(id: "${agent.credentialId}") { __typename } }`);
  await world.send(sessionId, 'Still there?');
  await world.status(sessionId, 'FAILED');

  const { updateAgent } = await world.graphql(
    `mutation { updateAgent(input: { id: "${agent.id}", key: "${RIGHT}" }) { __typename ... on Fault { message } } }`,
  );
  expect(updateAgent).toEqual({ __typename: 'UpdateAgentPayload' });
  await world.send(sessionId, 'And now?');
  await world.status(sessionId, 'IDLE');
});

it('an unknown model', async () => {
  await world.createAgent({ name: 'lost', model: 'anthropic/unknown', key: RIGHT });
  const sessionId = await world.startSession({ agent: 'lost', input: 'Hi.' });
  await world.status(sessionId, 'FAILED');

  const events = await world.events(sessionId);
  expect(events.find(({ type }) => type === 'error.model')?.body.code).toBe('MODEL_UNKNOWN');
});
