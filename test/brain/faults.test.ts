/** Every fault of a model service, played by the rehearsal, through the gateway and the real stream decoder. */
import { afterEach, expect, test } from 'vitest';
import { MODEL_ATTEMPTS_MAX } from '../../src/brain/model-call.ts';
import { AnthropicModel } from '../../src/platform/anthropic/model.ts';
import { CANARY, type ModelStage, openStage } from '../models/model-stage.ts';
import { settle } from './stage.ts';
import { ok, UnitDouble } from './unit-double.ts';

let stage: ModelStage | undefined;
afterEach(async () => {
  await stage?.close();
  stage = undefined;
});

async function turn(
  model: string,
  text: string,
  options: Parameters<typeof openStage>[0] = {},
): Promise<UnitDouble> {
  stage = await openStage(options);
  const unit = new UnitDouble({ model, tool: () => Promise.resolve(ok('done')) });
  unit.say(text);
  await settle(unit, new AnthropicModel(stage.http, 'unit-token'));
  return unit;
}

test.each([
  ['overloaded', ['overloaded_error', 'overloaded_error']],
  ['rate', ['rate_limit_error']],
  ['broken', ['api_error']],
  ['error', ['overloaded_error']],
  ['cut', ['connection_error']],
  ['anything', ['overloaded_error', 'rate_limit_error', 'overloaded_error', 'connection_error']],
])(
  'the fault "%s" is journalled as retried and then passes, its tokens never final',
  async (fault, codes) => {
    const unit = await turn('faulty', fault);

    expect(unit.bodies('model.retried').map(({ code }) => code)).toEqual(codes);
    expect(unit.bodies('model.retried').map(({ attempt }) => attempt)).toEqual(
      codes.map((_, index) => index + 1),
    );
    expect(unit.bodies('agent.message')).toHaveLength(1);
    expect(unit.session.turn?.outcome).toBe('completed');
  },
);

test('a service that falls silent is given up by the gateway and asked again', async () => {
  const unit = await turn('faulty', 'hang', { idleTimeoutMs: 100 });

  expect(unit.bodies('model.retried')).toHaveLength(1);
  expect(unit.session.turn?.outcome).toBe('completed');
});

test('the wait that the service asks for is the wait that is journalled', async () => {
  const unit = await turn('faulty', 'overloaded');

  expect(unit.bodies('model.retried').map(({ waitMs }) => waitMs)).toEqual([50, 50]);
});

test('a service that stays overloaded ends the turn with an error after the last attempt', async () => {
  const unit = await turn('faulty', 'down');

  expect(unit.bodies('model.retried')).toHaveLength(MODEL_ATTEMPTS_MAX - 1);
  expect(unit.bodies('error.model')).toMatchObject([{ code: 'MODEL_OVERLOADED', retriable: true }]);
  expect(unit.session.turn).toMatchObject({ outcome: 'error', failure: { code: 'MODEL_OVERLOADED' } });
});

test('a refused key is not tried again, says what to do, and the session goes on by a message', async () => {
  const unit = await turn('faulty', 'refused');
  const failure = unit.session.turn?.failure;
  unit.say('rate');
  if (stage !== undefined) await settle(unit, new AnthropicModel(stage.http, 'unit-token'));

  expect(failure).toMatchObject({
    code: 'MODEL_KEY_REFUSED',
    message: expect.stringContaining('Replace the credential'),
  });
  expect(unit.bodies('turn.completed').map(({ outcome }) => outcome)).toEqual(['error', 'completed']);
});

test('an unknown model ends the turn with an error that says so', async () => {
  const unit = await turn('rehearsal-nobody', 'hello');

  expect(unit.session.turn?.failure).toMatchObject({ code: 'MODEL_UNKNOWN' });
  expect(unit.bodies('model.retried')).toEqual([]);
});

test('an invalid request ends the turn with an error', async () => {
  const unit = await turn('echo', 'hello', {
    scripts: { echo: { rules: [{ when: { answers: 9 }, answer: [] }] } },
  });

  expect(unit.session.turn?.failure).toMatchObject({ code: 'MODEL_REQUEST_INVALID' });
});

test('a used-up budget ends the turn as budget_exceeded', async () => {
  const refused = { kind: 'refused', type: 'budget_exceeded', message: 'The budget is used up.' } as const;
  const unit = await turn('echo', 'hello', { ports: { budget: () => Promise.resolve(refused) } });

  expect(unit.session.turn).toMatchObject({
    outcome: 'budget_exceeded',
    failure: { code: 'BUDGET_EXCEEDED' },
  });
});

test('tools in parallel go through the service and back, and the key is in nothing that the brain gets', async () => {
  const unit = await turn('tools', 'go');

  expect(unit.bodies('tool.call')).toHaveLength(3);
  expect(unit.session.turn?.outcome).toBe('completed');
  expect(JSON.stringify(stage?.rehearsal.requests[0]?.headers)).toContain(CANARY);
  expect(stage?.seen()).toContain('message_stop');
  expect(`${stage?.seen()}${JSON.stringify(unit.log)}`).not.toContain(CANARY);
});

test('the second call of a turn reads what the first wrote into the prompt cache', async () => {
  await turn('tools', 'go');

  expect(stage?.metered[0]?.usage.cacheCreationInputTokens).toBeGreaterThan(0);
  expect(stage?.metered[1]?.usage.cacheReadInputTokens).toBeGreaterThan(0);
});
