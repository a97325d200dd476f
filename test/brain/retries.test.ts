/** When a model call is made again, when not, and what is said about it. */
import { expect, test } from 'vitest';
import { failureEvent } from '../../src/brain/model-call.ts';
import { ModelFailure, type ModelFailureCode } from '../../src/brain/model.ts';
import type { OpenCall } from '../../src/brain/progress.ts';
import { derivedId, turnIdOf } from '../../src/kernel/id.ts';
import { PlayedModel } from './model-double.ts';
import { settle } from './stage.ts';
import { UnitDouble } from './unit-double.ts';

const TURN = turnIdOf(derivedId('session', 'x'), 1);
const PACE = { firstMs: 500, ceilingMs: 20_000 };
const CALL: OpenCall = {
  callId: 't1m1',
  purpose: 'answer',
  failures: 0,
  refusedAsTooLong: 0,
  badSummaries: 0,
  plain: false,
};

function written(code: ModelFailureCode, retriable: boolean, retryAfterMs?: number) {
  const failure = new ModelFailure(code, 'It failed.', {
    type: 'x_error',
    retriable,
    retryAfterMs,
    requestId: 'req_1',
  });
  return failureEvent(TURN, CALL, failure, PACE);
}

test.each([undefined, 0])('a service that asks for no pause (%s) is tried again at our own pace', (after) => {
  for (let time = 0; time < 20; time += 1) {
    const { type, body } = written('MODEL_RATE_LIMITED', true, after);

    expect(type).toBe('model.retried');
    expect(body).toMatchObject({ requestId: 'req_1' });
    const { waitMs } = body as { waitMs: number };
    expect(waitMs).toBeGreaterThanOrEqual(250);
    expect(waitMs).toBeLessThanOrEqual(500);
  }
});

test('our own pace has jitter, so that many sessions do not come back at once', () => {
  const waits = Array.from(
    { length: 50 },
    () => written('MODEL_OVERLOADED', true).body as { waitMs: number },
  );

  expect(new Set(waits.map(({ waitMs }) => waitMs)).size).toBeGreaterThan(5);
});

test('a pause up to a minute is kept as the service asks for it', () => {
  expect(written('MODEL_RATE_LIMITED', true, 60_000).body).toMatchObject({ waitMs: 60_000 });
});

test.each([
  [61_000, '61 s'],
  [600_000, '10 min'],
  [3 * 3_600_000, '3 h'],
])('a pause of %i ms is not slept through: it is said to try again in %s', (after, words) => {
  const event = written('MODEL_RATE_LIMITED', true, after);

  expect(event.type).toBe('error.model');
  expect(event.body).toMatchObject({
    code: 'MODEL_RATE_LIMITED',
    message: `It failed. The service asks to try again in ${words}.`,
    retriable: true,
    requestId: 'req_1',
  });
});

test.each(['MODEL_SPEND_LIMIT', 'MODEL_NO_CREDIT', 'MODEL_ACCOUNT_ON_HOLD'] as const)(
  '%s is never tried again, whatever the failure says',
  (code) => {
    expect(written(code, true)).toMatchObject({ type: 'error.model', body: { code } });
  },
);

test('the id of a request is kept with its answer', async () => {
  const unit = new UnitDouble();
  unit.say('hello');

  await settle(
    unit,
    new PlayedModel(() => ({ blocks: [{ kind: 'text', text: 'Hi.' }], requestId: 'req_9' })),
  );

  expect(unit.bodies('model.completed')).toMatchObject([{ requestId: 'req_9' }]);
});

test('thinking is told to live watchers beside the message, each with offsets of its own', async () => {
  const unit = new UnitDouble();
  unit.say('hello');

  await settle(
    unit,
    new PlayedModel(() => ({
      blocks: [
        { kind: 'thinking', text: 'Hm, well.', signature: 's' },
        { kind: 'text', text: 'Hi.' },
      ],
    })),
  );

  expect(unit.deltas).toContainEqual({ callId: 't1m1', kind: 'thinking', offset: 0, text: 'Hm, well.' });
  expect(unit.deltas).toContainEqual({ callId: 't1m1', offset: 0, text: 'Hi.' });
});

test('nobody is shown what the model thinks and writes when it condenses', async () => {
  const unit = new UnitDouble();
  const model = new PlayedModel(({ callId }) =>
    callId === 't1c2'
      ? {
          blocks: [
            { kind: 'thinking', text: 'To sum up.', signature: 's' },
            { kind: 'text', text: 'The user said hello, and all is well.' },
          ],
        }
      : callId === 't1m1'
        ? { stopReason: 'model_context_window_exceeded' }
        : 'Hi.',
  );
  unit.say('hello');

  await settle(unit, model);

  expect(unit.deltas.map(({ callId }) => callId)).not.toContain('t1c2');
  expect(unit.bodies('conversation.compacted')).toHaveLength(1);
});
