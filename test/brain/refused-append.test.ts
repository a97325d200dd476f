/** What the journal does not take: said once, never paid for again, and never the end of a brain. */
import { expect, test } from 'vitest';
import { UnitRefusal } from '../../src/brain/unit.ts';
import { ModelDouble } from './model-double.ts';
import { settle } from './stage.ts';
import { ok, UnitDouble } from './unit-double.ts';

test('a call whose input the journal refuses is kept without it, and its result says why', async () => {
  const unit = new UnitDouble();
  let deep: object = {};
  for (let level = 0; level < 70; level += 1) deep = { deep };
  const model = new ModelDouble({
    rules: [
      { when: { result: '64 levels' }, answer: [{ text: 'Sure.' }] },
      { answer: [{ tool: 'bash', input: { command: deep } }] },
    ],
  });
  unit.say('nest it');

  await settle(unit, model);

  expect(unit.bodies('tool.call')).toMatchObject([
    { input: {}, defect: expect.stringContaining('64 levels') },
  ]);
  expect(unit.bodies('tool.result')).toMatchObject([{ outcome: 'failed' }]);
  expect(unit.runs.size).toBe(0);
  expect(model.requests).toHaveLength(2);
  expect(unit.session.turn?.outcome).toBe('completed');
});

test.each([
  ['exitCode', { exitCode: -1, durationMs: 0 }],
  ['durationMs', { durationMs: -1 }],
])(
  'a tool result whose %s the journal refuses becomes a failed one, and the turn goes on',
  async (field, odd) => {
    const unit = new UnitDouble({ tool: () => Promise.resolve({ ...ok('fine'), ...odd }) });
    unit.say('go');

    await settle(unit, new ModelDouble(ONE_TOOL));

    expect(unit.bodies('tool.result')).toMatchObject([
      {
        outcome: 'failed',
        output: expect.stringContaining(`cannot be kept (body.${field}`),
        durationMs: 1, // it ran: lost files are told
      },
    ]);
    expect(unit.session.turn?.outcome).toBe('completed');
  },
);

test('a tool call that the door refuses becomes a failed result, and the turn goes on', async () => {
  const refusal = new UnitRefusal('INVALID_INPUT', 'input: too much.');
  const unit = new UnitDouble({ tool: () => Promise.reject(refusal) });
  unit.say('go');

  await settle(unit, new ModelDouble(ONE_TOOL));

  expect(unit.bodies('tool.result')).toMatchObject([
    { outcome: 'failed', output: 'The call was not made: input: too much.' },
  ]);
  expect(unit.session.turn?.outcome).toBe('completed');
});

const ONE_TOOL = {
  rules: [
    { when: { answers: 0 }, answer: [{ tool: 'bash', input: { command: 'ls' } }] },
    { answer: [{ text: 'I see.' }] },
  ],
};
