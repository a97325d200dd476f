/** Sessions with a limit of money, on a server whose rehearsals have a price. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PRICES } from '../support/prices.ts';
import { World } from '../support/world.ts';

const COSTS = 'usage { totalTokens costMicroUsd } turn { outcome usage { costMicroUsd } } why';

let world: World;
beforeAll(async () => {
  world = await World.open({ HOLDFAST_REHEARSAL: `${import.meta.dirname}/scripts`, HOLDFAST_PRICES: PRICES });
  for (const name of ['story', 'slow']) await world.createAgent({ name, model: `rehearsal/${name}` });
});
afterAll(() => world.close());

it('each call is journalled with its cost, and turn and session have the sum, also after a crash (proves PRICE-1)', async () => {
  const sessionId = await world.startSession({ agent: 'story', input: 'Tell it.' });
  await world.sees(sessionId, 'turn.completed');
  const used = (await world.events(sessionId)).filter(({ type }) => type === 'model.usage');
  const sum = used.reduce((total, { body }) => total + body.costMicroUsd, 0);
  await world.crash();
  await world.start();

  expect(used.length).toBeGreaterThan(2);
  for (const { body } of used) {
    expect(body.price).toMatchObject({ model: 'rehearsal/story', from: '2020-01-01', input: 10, output: 50 });
    const { inputTokens, outputTokens, cacheCreationInputTokens, cacheReadInputTokens } = body;
    expect(body.costMicroUsd).toBe(
      Math.ceil(
        10 * inputTokens + 50 * outputTokens + 12.5 * cacheCreationInputTokens + cacheReadInputTokens,
      ),
    );
  }
  expect(await world.session(sessionId, COSTS)).toMatchObject({
    usage: { costMicroUsd: sum },
    turn: { usage: { costMicroUsd: sum } },
  });
});

it('a session is warned of its limit, ends its turn at it, and goes on when it is raised (proves SPEND-1, SPEND-2)', async () => {
  const free = await world.startSession({ agent: 'story', input: 'Tell it.' });
  await world.sees(free, 'turn.completed');
  const [first, second] = (await world.events(free))
    .filter(({ type }) => type === 'model.usage')
    .map(({ body }): number => body.costMicroUsd);
  const limit = (first ?? 0) + (second ?? 0); // two calls, and none after them

  const sessionId = await world.startSession({
    agent: 'story',
    input: 'Tell it.',
    limits: { costMicroUsd: limit },
  });
  const events = await world.sees(sessionId, 'turn.completed');
  expect(events.filter(({ type }) => type === 'model.usage')).toHaveLength(2);
  expect(
    events.filter(({ type }) => type === 'budget.threshold_reached').map(({ body }) => body),
  ).toMatchObject([{ budget: 'cost', percent: 80, limit }]);
  expect(events.findLast(({ type }) => type === 'turn.completed')?.body).toMatchObject({
    outcome: 'budget_exceeded',
    errorCode: 'BUDGET_EXCEEDED',
  });
  expect((await world.session(sessionId, COSTS)).usage.costMicroUsd).toBe(limit);

  const { updateSession } = await world.graphql(
    `mutation ($id: ID!) { updateSession(input: { id: $id, limits: { costMicroUsd: 9000000000 } }) {
      ... on UpdateSessionPayload { session { limits { costMicroUsd } } } ... on Fault { message } } }`,
    { id: sessionId },
  );
  expect(updateSession.session.limits.costMicroUsd).toBe(9_000_000_000);
  await world.send(sessionId, 'Go on.');
  const after = await world.sees(sessionId, 'turn.completed', 2);
  expect(after.findLast(({ type }) => type === 'turn.completed')?.body.outcome).toBe('completed');
});

it('a model without a price has no cost, and is started under no limit of money (proves PRICE-2)', async () => {
  const sessionId = await world.startSession({ agent: 'slow', input: 'Go.' });
  const [used] = (await world.sees(sessionId, 'model.usage')).filter(({ type }) => type === 'model.usage');

  expect(used?.body).not.toHaveProperty('costMicroUsd');
  expect((await world.session(sessionId, COSTS)).usage.costMicroUsd).toBeNull();
  await expect(
    world.startSession({ agent: 'slow', input: 'Go.', limits: { costMicroUsd: 1_000_000 } }),
  ).rejects.toThrow('the price of this model is not known');
});
