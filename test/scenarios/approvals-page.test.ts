/** The samples of docs/approvals.md do what the page says. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { must } from '../../src/kernel/assert.ts';
import { World } from '../support/world.ts';

const PAGE = readFileSync(new URL('../../docs/approvals.md', import.meta.url), 'utf8');

/** The fenced block of this name. */
function sample(name: string): string {
  return must(new RegExp(`^\`\`\`\\w+ ${name}\n([^]*?)^\`\`\``, 'm').exec(PAGE)?.[1], `the page has ${name}`);
}

let world: World;
beforeAll(async () => {
  world = await World.open({ HOLDFAST_REHEARSAL: `${import.meta.dirname}/scripts` });
  const { createAgent } = await world.graphql(sample('agent'));
  must(createAgent.agent, JSON.stringify(createAgent));
});
afterAll(() => world.close());

async function waiting(): Promise<{ sessionId: string; callId: string }> {
  const sessionId = await world.startSession({ agent: 'release', input: 'one' });
  await world.status(sessionId, 'AWAITING_INPUT');
  const { session } = await world.graphql(sample('waits'), { id: sessionId });
  expect(session.why).toContain('Waits for somebody to approve or deny bash');
  return { sessionId, callId: session.turn.requests[0].callId };
}

it('a call is approved for the session, and runs', async () => {
  const call = await waiting();

  const { approveToolCall } = await world.graphql(sample('approve'), call);

  expect(approveToolCall).toEqual({
    applied: true,
    resolution: 'APPROVED',
    rule: { tool: 'bash', action: 'ALLOW', command: 'echo deployed >> count; cat count' },
    session: { status: 'RUNNING' },
  });
  await world.sees(call.sessionId, 'turn.completed');
  await world.send(call.sessionId, 'one');
  await world.sees(call.sessionId, 'turn.completed', 2);
}, 60_000);

it('a call is denied, and the model says why', async () => {
  const call = await waiting();

  const { denyToolCall } = await world.graphql(sample('deny'), call);

  expect(denyToolCall).toMatchObject({ applied: true, resolution: 'DENIED' });
  const events = await world.sees(call.sessionId, 'turn.completed');
  expect(events.findLast(({ type }) => type === 'agent.message')?.body.text).toContain('Not on a Friday.');
}, 60_000);
