/** Answers that come to an end, or pause, with nothing said. */
import { expect, test } from 'vitest';
import { type Play, PlayedModel, toolBlock } from './model-double.ts';
import { settle } from './stage.ts';
import { UnitDouble } from './unit-double.ts';

test.each<[string, Play]>([
  ['nothing at all', {}],
  ['only thinking', { blocks: [{ kind: 'thinking', text: 'Hm.', signature: 's' }] }],
  ['only spaces', { blocks: [{ kind: 'text', text: '\n\n' }] }],
])('an answer of %s is asked to go on once', async (_, nothing) => {
  const unit = new UnitDouble();
  const model = new PlayedModel((_request, number) => {
    if (number === 1) return { blocks: [toolBlock('list', {})] };
    return number === 2 ? nothing : 'It is done.';
  });
  unit.say('do it');

  await settle(unit, model);

  expect(model.requests).toHaveLength(3);
  expect(model.shown().at(-1)).toContain('You ended your turn and said nothing.');
  expect(unit.session.turn?.outcome).toBe('completed');
  expect(unit.session.turn?.resultEventId).toBeDefined();
});

test('a model that says nothing twice ends the turn with an error that says so, and the next message works', async () => {
  const unit = new UnitDouble();
  const model = new PlayedModel((_, number) => (number < 4 ? {} : 'At last.'));
  unit.say('do it');
  await settle(unit, model);
  const failure = unit.session.turn?.failure;
  unit.say('well?');

  await settle(unit, model);

  expect(failure?.code).toBe('MODEL_SAID_NOTHING');
  expect(model.requests).toHaveLength(4);
  expect(unit.session.turn?.outcome).toBe('completed');
});

test('a pause is gone on with by a word of the user, and not for ever', async () => {
  const unit = new UnitDouble();
  const paused: Play = { blocks: [{ kind: 'text', text: 'I am searching. ' }], stopReason: 'pause_turn' };
  const model = new PlayedModel(() => paused);
  unit.say('search');

  await settle(unit, model);

  expect(model.requests[1]?.messages.at(-1)).toMatchObject({ role: 'user' });
  expect(model.requests).toHaveLength(10);
  expect(unit.session.turn?.failure?.code).toBe('MODEL_ANSWER_CUT');
});
