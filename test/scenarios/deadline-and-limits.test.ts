/** Turns that hang, sessions at their limits, and more sessions than slots. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.open({ HOLDFAST_REHEARSAL: `${import.meta.dirname}/scripts`, HOLDFAST_SLOTS: '2' });
  for (const name of ['wait', 'story']) await world.createAgent({ name, model: `rehearsal/${name}` });
});
afterAll(() => world.close());

it('a turn that hangs is ended at its deadline', async () => {
  const sessionId = await world.startSession({
    agent: 'wait',
    input: 'Wait for ever.',
    limits: { turnSeconds: 1 },
  });
  const events = await world.sees(sessionId, 'turn.completed');

  expect(events.findLast(({ type }) => type === 'turn.completed')?.body.outcome).toBe('deadline_exceeded');
  await world.status(sessionId, 'IDLE');
});

it('a session over its tokens ends its turn as budget_exceeded', async () => {
  const sessionId = await world.startSession({ agent: 'story', input: 'Tell it.', limits: { tokens: 1 } });
  const events = await world.sees(sessionId, 'turn.completed');

  expect(events.findLast(({ type }) => type === 'turn.completed')?.body.outcome).toBe('budget_exceeded');
});

it('more sessions than slots all get their turn; idle ones make room', async () => {
  const started = Array.from({ length: 7 }, () => world.startSession({ agent: 'story', input: 'Tell it.' }));
  for (const sessionId of await Promise.all(started)) await world.sees(sessionId, 'turn.completed');
});
